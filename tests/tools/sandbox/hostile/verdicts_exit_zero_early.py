# why: Leaving with code 0 before the answer is printed is a finished program without an answer, no more.
# expect: status=finished exit_code=0
# stdout lacks: 42
import os

os._exit(0)
print(42)
