# why: The end of its output is not the end of a program.
# expect: status=time_limit
# stdout: before
# limits: seconds=1
import os
import time

os.write(1, b"before\n")
os.closerange(0, 4096)
time.sleep(60)
