# why: /proc/PID/root and /proc/PID/cwd lead into the file system of another process.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for pid in (os.getppid(), 1, 2, world["parent"], world["sentinel"], "self", "thread-self"):
    for way in ("root", "cwd/" + "../" * 40):
        try:
            print("BREACH", pid, Path(f"/proc/{pid}/{way}{world['secret_file']}").read_text())
        except OSError:
            continue
print("contained")
