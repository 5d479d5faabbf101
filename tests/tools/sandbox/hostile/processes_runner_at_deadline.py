# why: The same chain while the deadline falls: killing must take the whole tree at once.
# expect: status=time_limit
# limits: seconds=1
import os
import time

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        until = time.monotonic() + 8
        while time.monotonic() < until:
            if os.fork():
                os._exit(0)
            time.sleep(0.001)
        os._exit(0)
time.sleep(20)
