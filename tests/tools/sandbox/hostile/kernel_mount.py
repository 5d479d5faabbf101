# why: A mount of one's own brings back what was hidden: proc, sysfs, devices, a fresh tmpfs without a limit.
# expect: status=finished
# stdout: contained
import contextlib
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
if os.getpid() > 64:
    raise SystemExit("BREACH: no process namespace; the mounts would be the host's")
with contextlib.suppress(OSError):
    os.mkdir("mnt")
for source, kind, flags in ((b"none", b"tmpfs", 0), (b"none", b"proc", 0), (b"/", None, 4096), (b"none", b"sysfs", 0)):
    if libc.mount(source, b"mnt", kind, flags, None) == 0:
        print("BREACH", kind)
if libc.mount(None, b"/", None, 32, None) == 0:  # MS_REMOUNT: writable again
    print("BREACH: remounted")
if libc.umount2(b"/proc", 2) == 0 or libc.umount2(b".", 2) == 0:
    print("BREACH: unmounted")
if libc.syscall(155, b".", b".") == 0:
    print("BREACH: pivot_root")
if libc.syscall(430, b"tmpfs", 0) >= 0:
    print("BREACH: fsopen")
if libc.syscall(428, -100, b"/", 1) >= 0:
    print("BREACH: open_tree")
print("contained")
