# why: The name of the machine belongs to everybody on it.
# expect: status=finished
# stdout: contained
import contextlib
import ctypes
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
with contextlib.suppress(OSError):
    socket.sethostname(world["marker"][:60])
ctypes.CDLL(None).setdomainname(b"hostile", 7)
print("contained")
