# why: What is written outside of the scratch folder stays; the host is searched for this name afterwards.
# expect: status=finished
# stdout: contained
import contextlib
import json
from pathlib import Path

world = json.loads(Path("world.json").read_text())
folders = (
    "/",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev",
    "/run",
    "/usr/lib",
    "/etc",
    "/proc",
    world["home"],
    "..",
    "../..",
)
for folder in folders:
    with contextlib.suppress(OSError):
        Path(folder, world["marker"]).write_text("left behind")
print("contained")
