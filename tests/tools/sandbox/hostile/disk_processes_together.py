# why: Several processes each write less than a limit of one process would allow.
# expect: status=finished|error
# stdout: contained
# limits: disk_mb=16 processes=16 memory_mb=512
import os
from pathlib import Path

for number in range(8):
    if os.fork() == 0:
        try:
            Path(f"bomb{number}").write_bytes(b"x" * (8 << 20))
        finally:
            os._exit(0)
for _ in range(8):
    os.wait()
size = sum(path.stat().st_size for path in Path(".").glob("bomb*"))
print("contained" if size <= 17 << 20 else f"BREACH: {size >> 20} MiB")
