# why: kill(-1) reaches everything that one may signal: that must be the program's own processes alone.
# expect: status=finished|error
import os
import signal
import sys

if os.getpid() > 64:
    sys.exit("BREACH: no process namespace; -1 would be the host")
for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL):
    try:
        os.kill(-1, number)
    except OSError:
        continue
print("alive")
