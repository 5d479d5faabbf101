# why: One byte more than allowed is an offence, not a quiet loss.
# expect: status=output_limit
# limits: output_kb=64
import os

left = b"x" * (64 * 1024 + 1)
while left:
    left = left[os.write(1, left) :]
