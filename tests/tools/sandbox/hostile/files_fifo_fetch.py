# why: Reading a pipe that nobody writes waits for ever; only ordinary files are brought back.
# expect: status=finished
# stdout: contained
# fetch: loot door zero
# fetched: nothing
import contextlib
import os
import socket
import stat

os.mkfifo("loot")
with contextlib.suppress(OSError):
    socket.socket(socket.AF_UNIX).bind("door")
with contextlib.suppress(OSError):
    os.mknod("zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
print("contained")
