# why: Each copy copies itself; bounded here at 400, in a sandbox at the processes allowed.
# expect: status=finished
# stdout: contained
# limits: processes=16
import os
import time

born = 0
try:
    while born < 400:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        born += 1
except OSError:
    pass
print("contained" if born <= 16 else f"BREACH: {born} processes")
