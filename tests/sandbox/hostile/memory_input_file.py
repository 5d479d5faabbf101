# why: Standard input is a file in memory, which a program may write to and make longer.
# expect: status=finished|error|memory_limit
# stdout: contained
# limits: disk_mb=16 memory_mb=256
# stdin: 1000
import contextlib
import os

grown = 0
with contextlib.suppress(OSError):
    while grown < 900 << 20:
        grown += os.write(0, bytes(1 << 20))
with contextlib.suppress(OSError):
    os.truncate("/proc/self/fd/0", 1 << 40)
print("contained" if grown <= 16 << 20 else f"BREACH: {grown >> 20} MiB")
