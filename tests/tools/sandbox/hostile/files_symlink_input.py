# why: A link in place of a file that was given must not lead the host's clearing up or fetching astray.
# expect: status=finished
# stdout: contained
# fetch: world.json
# fetched: nothing
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
os.unlink("world.json")
os.symlink(world["secret_file"], "world.json")
print("contained")
