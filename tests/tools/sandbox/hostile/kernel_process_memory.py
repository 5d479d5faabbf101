# why: process_vm_readv needs neither ptrace nor /proc; writing is the same right and is not tried.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import ctypes
import errno
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)


class Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


content = ctypes.create_string_buffer(64)
# A fork's memory is laid out as its server's; elsewhere the address is a guess, but a wrong one is told from a refusal.
here, there = Piece(ctypes.addressof(content), 64), Piece(id(os), 64)
for pid in (os.getppid(), 1, world["parent"], world["sentinel"]):
    read = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    if read > 0 or ctypes.get_errno() == errno.EFAULT:
        print("BREACH", pid)
print("contained")
