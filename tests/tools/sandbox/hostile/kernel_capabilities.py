# why: Capabilities in a user namespace open most of the kernel's interfaces; a program needs none of them.
# expect: status=finished
# stdout: contained
# outside: BREACH root
# needs: x86_64
import ctypes
import struct

libc = ctypes.CDLL(None, use_errno=True)
header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
held = ctypes.create_string_buffer(24)
if libc.syscall(125, header, held) == 0:
    effective, permitted, inheritable, effective_high, permitted_high, inheritable_high = struct.unpack("6I", held.raw)
    if effective | permitted | effective_high | permitted_high:
        print(f"BREACH {effective_high:x}{effective:08x} {permitted_high:x}{permitted:08x}")
full = ctypes.create_string_buffer(b"\xff" * 24)
if libc.syscall(126, header, full) == 0:
    print("BREACH: capset")
print("contained")
