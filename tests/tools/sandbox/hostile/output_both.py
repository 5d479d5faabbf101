# why: Both at once, so that whoever reads one of them alone is caught with the other full.
# expect: status=output_limit
# limits: output_kb=64
import os

for _ in range(3000):
    os.write(1, b"x" * 1000)
    os.write(2, b"y" * 1000)
