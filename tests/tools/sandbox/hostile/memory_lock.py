# why: Locked memory cannot be taken back by the kernel.
# expect: status=finished
# stdout: contained
# limits: memory_mb=512
import ctypes
import mmap

libc = ctypes.CDLL(None, use_errno=True)
block = mmap.mmap(-1, 64 << 20)
address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(block)))
if libc.mlock(address, ctypes.c_size_t(64 << 20)) == 0:
    print("BREACH")
print("contained")
