# why: Filters add up; a later one that allows everything takes nothing away.
# expect: status=finished
# stdout: contained
# needs: x86_64
import ctypes
import struct

libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))


class Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


wish = Filter(1, ctypes.addressof(allow))
libc.prctl(22, 2, ctypes.byref(wish), 0, 0)
libc.prctl(22, 0, 0, 0, 0)  # SECCOMP_MODE_DISABLED
libc.prctl(38, 0, 0, 0, 0)  # no_new_privs off
if libc.prctl(39, 0, 0, 0, 0) != 1:
    print("BREACH: new rights may be gained")
if libc.unshare(0x10000000) == 0 or libc.ptrace(0, 0, None, None) == 0:
    print("BREACH")
print("contained")
