# why: A program that adopts orphans must not become the parent of anything but its own.
# expect: status=finished
# stdout: contained
import ctypes
import os
import time

libc = ctypes.CDLL(None)
libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
libc.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG: outlive the parent
for _ in range(4):
    if os.fork() == 0:
        if os.fork() == 0:
            libc.prctl(1, 0, 0, 0, 0)
            time.sleep(20)
        os._exit(0)
print("contained")
