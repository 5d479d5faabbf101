# why: A program that is cut off and pays no heed must not go on until its deadline.
# expect: status=output_limit
# limits: output_kb=64 seconds=5
import os
import signal
import time

signal.signal(signal.SIGPIPE, signal.SIG_IGN)
until = time.monotonic() + 20
while time.monotonic() < until:
    try:
        os.write(1, b"x" * 1000)
    except OSError:
        continue
