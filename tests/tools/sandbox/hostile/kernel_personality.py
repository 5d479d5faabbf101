# why: personality switches off address randomisation and non-executable memory, for what is started next.
# expect: status=finished
# stdout: contained
# outside: BREACH
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
for flag in (0x0040000, 0x0400000, 0x0100000):  # ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO
    if libc.personality(ctypes.c_ulong(flag)) >= 0 and libc.personality(ctypes.c_ulong(0xFFFFFFFF)) & flag:
        print(f"BREACH {flag:x}")
print("contained")
