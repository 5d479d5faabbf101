# why: The kernel's log names addresses, disks and other users' processes.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import ctypes
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
content = ctypes.create_string_buffer(4096)
for action in (3, 10):  # SYSLOG_ACTION_READ_ALL, SYSLOG_ACTION_SIZE_BUFFER
    if libc.klogctl(action, content, 4095) > 0:
        print("BREACH", action)
try:
    for line in Path("/proc/kallsyms").read_text().splitlines()[:10]:
        if int(line.split()[0], 16):
            print("BREACH", line)
except OSError:
    pass
print("contained")
