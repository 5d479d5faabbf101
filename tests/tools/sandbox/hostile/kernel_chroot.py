# why: chroot twice is the textbook's way out of a chroot.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import contextlib
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
with contextlib.suppress(OSError):
    os.mkdir("deeper")
    here = os.open(".", os.O_RDONLY)
    os.chroot("deeper")
    print("BREACH: chroot")
    os.fchdir(here)
    for _ in range(60):
        os.chdir("..")
    os.chroot(".")
    print("BREACH", Path(world["secret_file"]).read_text())
print("contained")
