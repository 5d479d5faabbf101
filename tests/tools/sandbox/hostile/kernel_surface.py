# why: bpf, perf, userfaultfd, modules, kexec and the like: interfaces that honest programs never call.
# expect: status=finished
# stdout: contained
# needs: x86_64
import ctypes
import errno

libc = ctypes.CDLL(None, use_errno=True)
CALLS = {
    "bpf": (321, 0, bytes(128), 128),
    "perf_event_open": (298, bytes(128), 0, -1, -1, 0),
    "userfaultfd": (323, 1),
    "fanotify_init": (300, 0, 0),
    "init_module": (175, b"", 0, b""),
    "finit_module": (313, 0, b"", 0),
    "delete_module": (176, b"no such module", 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "reboot, wrong magic": (169, 0, 0, 0, 0),
    "swapon": (167, b"no such file", 0),
    "swapoff": (168, b"no such file"),
    "acct": (163, b"no such file"),
    "quotactl": (179, 0, b"no such file", 0, 0),
    "iopl": (172, 3),
    "ioperm": (173, 0x80, 1, 1),
    "pidfd_getfd": (438, 0, 0, 0),
    "vhangup": (153,),
    "fsopen": (430, b"tmpfs", 0),
}
REFUSED = (errno.EPERM, errno.ENOSYS, errno.EACCES)
for name, (number, *arguments) in CALLS.items():
    ctypes.set_errno(0)
    if libc.syscall(number, *arguments) >= 0 or ctypes.get_errno() not in REFUSED:
        print("BREACH", name, errno.errorcode.get(ctypes.get_errno(), "done"))
print("contained")
