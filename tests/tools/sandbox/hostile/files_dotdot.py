# why: The oldest way out of a folder.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
up = "../" * 40
for path in (up + world["secret_file"], f"./{up}{world['secret_file']}", f"/proc/self/root/{world['secret_file']}"):
    try:
        print("BREACH", Path(path).read_text())
    except OSError:
        continue
for _ in range(40):
    try:
        os.chdir("..")
    except OSError:
        break
try:
    print("BREACH", Path("." + world["secret_file"]).read_text())
except OSError:
    print("contained")
