# why: Empty files cost no bytes and yet memory of the kernel; folders as well.
# expect: status=finished|error
# stdout: contained
# limits: seconds=5
from pathlib import Path

made = 0
try:
    while made < 60_000:
        Path(f"{made}").touch()
        made += 1
except OSError:
    pass
print("contained" if made < 60_000 else f"BREACH: {made} files")
