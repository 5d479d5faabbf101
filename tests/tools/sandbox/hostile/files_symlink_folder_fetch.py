# why: A link in the middle of a path leads out as well as one at its end.
# expect: status=finished
# stdout: contained
# fetch: loot/.netrc self/root/etc/passwd
# fetched: nothing
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
os.symlink(world["home"], "loot")
os.symlink("/proc/self", "self")
print("contained")
