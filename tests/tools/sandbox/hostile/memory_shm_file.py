# why: /dev/shm is memory under the name of a folder.
# expect: status=finished|error|memory_limit
# limits: memory_mb=256 disk_mb=16
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for folder in ("/dev/shm", "/tmp", "/run", "/var/tmp"):
    try:
        descriptor = os.open(f"{folder}/{world['marker']}", os.O_CREAT | os.O_WRONLY)
        for _ in range(600):
            os.write(descriptor, b"x" * (1 << 20))
        print("BREACH", folder)
    except OSError:
        continue
print("contained")
