# why: The limit is that of the whole tree, not of each process.
# expect: status=finished|error|memory_limit
# limits: memory_mb=256 processes=16
import os
import sys
import time

reader, writer = os.pipe()
for _ in range(12):
    if os.fork() == 0:
        try:
            block = bytearray(b"x") * (100 << 20)
            os.write(writer, b"1")
            time.sleep(3)
        finally:
            os._exit(0)
os.close(writer)
time.sleep(2)
held = len(os.read(reader, 100))
sys.exit(f"BREACH: {held} x 100 MiB at once" if held > 3 else 0)
