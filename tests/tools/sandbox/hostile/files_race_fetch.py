# why: A file that is swapped for a link between looking and reading; the swapping must have ended before fetching.
# expect: status=finished
# stdout: contained
# fetch: loot
import json
import os
import time
from pathlib import Path

world = json.loads(Path("world.json").read_text())
Path("innocent").write_text("innocent")
os.symlink(world["secret_file"], "guilty")
print("contained", flush=True)
if os.fork() == 0:
    os.setsid()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        for source in ("innocent", "guilty"):
            os.link(source, "next", follow_symlinks=False)
            os.rename("next", "loot")
    os._exit(0)
time.sleep(0.1)
