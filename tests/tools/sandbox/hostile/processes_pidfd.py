# why: pidfd_open, pidfd_send_signal and pidfd_getfd aim at processes without kill.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
import signal
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for pid in (world["parent"], world["sentinel"]):
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        continue
    signal.pidfd_send_signal(handle, 0)
    print("BREACH", pid)
print("contained")
