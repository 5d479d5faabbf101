# why: In namespaces of its own a program would be root again, with the kernel's rarely walked paths before it.
# expect: status=finished
# stdout: contained
# outside: BREACH
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
NAMES = {"user": 0x10000000, "mount": 0x20000, "net": 0x40000000, "pid": 0x20000000, "ipc": 0x8000000, "uts": 0x4000000}
for name, flag in {**NAMES, "cgroup": 0x2000000, "time": 0x80, "user and net": 0x50000000}.items():
    if libc.unshare(flag) == 0:
        print("BREACH", name)
print("contained")
