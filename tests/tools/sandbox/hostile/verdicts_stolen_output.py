# why: Through /proc a program opens its own pipes from the other side, and could keep their reader waiting for ever.
# expect: status=finished|time_limit
# limits: seconds=1
import contextlib
import os
import time

if os.fork() == 0:
    os.setsid()
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):
            print("opened", os.open(f"/proc/self/fd/{number}", os.O_RDWR | os.O_NONBLOCK))
    time.sleep(20)
    os._exit(0)
time.sleep(0.1)
