# why: Children that nobody waits for keep their place in the process table.
# expect: status=finished
# stdout: contained
# limits: processes=16
import os

born = 0
try:
    while born < 400:
        if os.fork() == 0:
            os._exit(0)
        born += 1
except OSError:
    pass
print("contained" if born <= 16 else f"BREACH: {born} zombies")
