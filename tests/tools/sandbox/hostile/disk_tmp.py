# why: The temporary folder is part of what may be written, if there is one at all.
# expect: status=finished|error
# stdout lacks: written
# limits: disk_mb=16
import json
import tempfile
from pathlib import Path

world = json.loads(Path("world.json").read_text())
with tempfile.NamedTemporaryFile(prefix=world["marker"], delete=False) as file:
    for _ in range(64):
        file.write(b"x" * (1 << 20))
        file.flush()
print("BREACH: all written")
