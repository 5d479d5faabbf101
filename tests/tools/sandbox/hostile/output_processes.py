# why: Every process of the tree writes into the same pipe.
# expect: status=output_limit
# limits: output_kb=64 processes=16
import os

for _ in range(6):
    if os.fork() == 0:
        for _ in range(300):
            os.write(1, b"x" * 1000)
        os._exit(0)
for _ in range(6):
    os.wait()
