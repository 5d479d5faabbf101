# why: Memory that moves from process to process slips through between two looks at a list of processes.
# expect: status=memory_limit|error
# limits: memory_mb=256 processes=16 seconds=5
import os
import time

until = time.monotonic() + 4
for _ in range(8):
    if os.fork() == 0:
        block = bytearray(b"x") * (80 << 20)
        while time.monotonic() < until:
            if os.fork():
                os._exit(0)
        os._exit(0)
time.sleep(4)
print("BREACH: 640 MiB for seconds")
