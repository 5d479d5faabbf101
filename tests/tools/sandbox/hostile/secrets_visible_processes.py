# why: The host's processes are not even to be seen, so that none of them can be aimed at.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for pid in (world["parent"], world["sentinel"]):
    if os.path.exists(f"/proc/{pid}"):
        print("BREACH", pid, "is in /proc")
    for ask in (os.getpgid, os.getsid, os.sched_getaffinity, lambda pid: os.getpriority(os.PRIO_PROCESS, pid)):
        try:
            print("BREACH", pid, ask(pid))
        except OSError:
            continue
print("contained")
