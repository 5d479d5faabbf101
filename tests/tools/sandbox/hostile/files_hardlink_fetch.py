# why: A hard link to a file outside would be fetched as the program's own.
# expect: status=finished
# stdout: contained
# fetch: loot secret
# fetched: nothing
import contextlib
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for source, name in (("/etc/passwd", "loot"), (world["secret_file"], "secret")):
    with contextlib.suppress(OSError):
        os.link(source, name)
print("contained")
