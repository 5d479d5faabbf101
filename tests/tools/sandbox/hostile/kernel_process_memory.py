# why: process_vm_readv and process_vm_writev need neither ptrace nor /proc.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import ctypes
import json
import os
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)


class Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


content = ctypes.create_string_buffer(64)
# The server's memory is laid out as its fork's; that of others is guessed at the interpreter's usual place.
for address in (id(os), id(ctypes), 0x400000, ctypes.addressof(content)):
    here, there = Piece(ctypes.addressof(content), 64), Piece(address, 64)
    for pid in (os.getppid(), 1, world["parent"], world["sentinel"]):
        for call in (libc.process_vm_readv, libc.process_vm_writev):
            if pid != os.getpid() and call(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
                print("BREACH", call.__name__, pid)
            if pid in (world["parent"], world["sentinel"]):
                break  # never written to
print("contained")
