# why: Shared memory, message queues and semaphores have names of their own beside the file system.
# expect: status=finished
# stdout: contained
# outside: BREACH
import contextlib
import ctypes
import json
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(world["shm_key"], 0, 0)
if segment >= 0:
    address = libc.shmat(segment, None, 0o10000)
    print("BREACH", ctypes.string_at(address) if address and address != ctypes.c_void_p(-1).value else segment)
with contextlib.suppress(OSError):
    print("BREACH", Path("/dev/shm", world["shm_name"]).read_text())
if libc.mq_open(world["queue"].encode(), 0) >= 0:
    print("BREACH: the message queue")
print("contained")
