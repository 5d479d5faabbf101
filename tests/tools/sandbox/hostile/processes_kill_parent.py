# why: The parent of a program is the sandbox, which must outlive it whatever signal it sends.
# expect: status=finished|error|time_limit
# limits: seconds=2
import json
import os
import signal
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for pid in (os.getppid(), world["parent"], world["sentinel"]):
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL):
        if pid <= 1 and number == signal.SIGSTOP:
            continue
        try:
            os.kill(pid, number)
            print("sent", number, pid if pid else "nobody")
        except OSError:
            continue
if os.getppid() > 64:
    print("BREACH: the parent is to be seen")
