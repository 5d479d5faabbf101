# why: The flags and the size of a pipe are shared with whoever reads it.
# expect: status=finished
# stdout: still heard
import contextlib
import fcntl
import os
import signal

for number in (0, 1, 2):
    with contextlib.suppress(OSError):
        fcntl.fcntl(number, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC | os.O_DIRECT)
    with contextlib.suppress(OSError):
        fcntl.fcntl(number, fcntl.F_SETOWN, 1)
        fcntl.fcntl(number, 10, signal.SIGKILL)  # F_SETSIG
    with contextlib.suppress(OSError):
        fcntl.fcntl(number, 1031, 4096)  # F_SETPIPE_SZ
    with contextlib.suppress(OSError):
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("still heard")
