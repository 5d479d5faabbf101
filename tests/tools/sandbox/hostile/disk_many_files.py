# why: Each file stays below any limit of one file.
# expect: status=finished|error
# stdout lacks: written
# limits: disk_mb=16 memory_mb=512
from pathlib import Path

for number in range(64):
    Path(f"bomb{number}").write_bytes(b"x" * (1 << 20))
print("BREACH: all written")
