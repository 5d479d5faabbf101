# why: Who brings files back must not follow a link out of the folder: it would read with the host's rights.
# expect: status=finished
# stdout: contained
# fetch: loot relative
# fetched: nothing
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
os.symlink(world["secret_file"], "loot")
os.symlink("../" * 40 + world["secret_file"].lstrip("/"), "relative")
print("contained")
