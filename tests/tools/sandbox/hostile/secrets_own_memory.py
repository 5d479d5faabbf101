# why: A forked interpreter inherits its server's memory: nothing of other runs or of the host may lie in it.
# expect: status=finished
# stdout: contained
# limits: seconds=10 memory_mb=512
import ctypes
import gc
import re

gc.unfreeze()
pattern = re.compile(rb"SECRET-[0-9a-f]{32}")
try:
    with open("/proc/self/maps") as table:
        ranges = re.findall(r"^(\w+)-(\w+) rw", table.read(), re.MULTILINE)
    memory = open("/proc/self/mem", "rb", 0)  # noqa: SIM115
    for first, last in ranges:
        memory.seek(int(first, 16))
        content = memory.read(min(int(last, 16) - int(first, 16), 64 << 20))
        if pattern.search(content):
            print("BREACH", pattern.findall(content))
except OSError:
    for item in gc.get_objects():  # around each object, where the file of the memory is closed
        page = id(item) & ~4095
        content = ctypes.string_at(page, 4096)
        if pattern.search(content):
            print("BREACH", pattern.findall(content))
print("contained")
