# why: ptrace reads and rewrites another process; within the sandbox it would even lift seccomp.
# expect: status=finished
# stdout: contained
# outside: BREACH
import ctypes
import json
import os
import time
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
    time.sleep(5)
    os._exit(0)
PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE = 0, 16, 0x4206
for request in (PTRACE_SEIZE, PTRACE_ATTACH):
    for pid in (child, os.getppid(), 1, world["sentinel"]):
        if libc.ptrace(request, pid, None, None) == 0:
            print("BREACH", request, pid)
            break
if libc.ptrace(PTRACE_TRACEME, 0, None, None) == 0:
    print("BREACH: traced by the parent")
print("contained", flush=True)
os._exit(0)
