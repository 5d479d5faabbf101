# why: Standard error is collected as well.
# expect: status=output_limit
# stdout: before
# limits: output_kb=64
import sys

print("before", flush=True)
for _ in range(3000):
    print("x" * 1000, file=sys.stderr)
