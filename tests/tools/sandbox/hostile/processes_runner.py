# why: A chain in which each process starts the next and dies: whoever kills by a list of ids comes too late.
# expect: status=finished
# stdout: bye
import os
import time

if os.fork() == 0:
    os.setsid()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
        time.sleep(0.001)
    os._exit(0)
print("bye", flush=True)
time.sleep(0.05)
