# why: ptrace reads and rewrites another process; within the sandbox it would even lift seccomp.
# expect: status=finished
# stdout: contained
# outside: BREACH
import ctypes
import json
import os
import signal
import time
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE = 0, 16, 0x4206
child = os.fork()
if child == 0:
    time.sleep(5)
    os._exit(0)
for request, pid in ((PTRACE_ATTACH, child), (PTRACE_SEIZE, os.getppid()), (PTRACE_SEIZE, world["sentinel"])):
    if libc.ptrace(request, pid, None, None) == 0:
        print("BREACH", request, pid)
os.kill(child, signal.SIGKILL)
traced = os.fork()
if traced == 0:
    os._exit(libc.ptrace(PTRACE_TRACEME, 0, None, None) == 0)
if os.waitpid(traced, 0)[1]:
    print("BREACH: traced by the parent")
print("contained")
