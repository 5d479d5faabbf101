# why: Whoever reads the sandbox's own code finds its weak spot: its folders are no business of programs.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for folder in (world["package"], f"/proc/{os.getppid()}/cwd", "/proc/1/cwd", f"/proc/{world['parent']}/cwd"):
    try:
        names = os.listdir(folder)
    except OSError:
        continue
    if "world.json" not in names:
        print("BREACH", folder, names[:3])
print("contained")
