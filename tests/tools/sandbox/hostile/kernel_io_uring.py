# why: io_uring opens files and connects without the system calls that seccomp watches.
# expect: status=finished
# stdout: contained
# outside: BREACH
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0:
    print("BREACH")
print("contained")
