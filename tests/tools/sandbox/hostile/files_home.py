# why: The home of whoever runs the sandbox holds keys and tokens, even where it has the same user id.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for folder in (world["home"], os.path.expanduser("~"), "/root", "/home"):
    for name in (".netrc", ".bashrc", ".profile", ".ssh", ".cache", ".config"):
        try:
            path = Path(folder, name)
            print("BREACH", path.read_text() if path.is_file() else os.listdir(path))
        except OSError:
            continue
print("contained")
