# why: setns enters the namespaces of another process.
# expect: status=finished
# stdout: contained
import ctypes
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid(), world["parent"], world["sentinel"], "self"):
    for kind in ("user", "net", "mnt", "pid", "ipc"):
        try:
            handle = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        except OSError:
            continue
        if libc.setns(handle, 0) == 0:
            print("BREACH", pid, kind)
for pid in (1, os.getppid(), world["parent"]):
    handle = libc.syscall(434, pid, 0)  # pidfd_open
    if handle >= 0 and libc.setns(handle, 0x40000000) == 0:
        print("BREACH", pid)
print("contained")
