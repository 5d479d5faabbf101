# why: Stopping the process group stops whoever shares it: the server must not.
# expect: status=time_limit
# limits: seconds=1
import os
import signal
import sys

if not 0 < os.getpgrp() < 64:
    sys.exit(f"BREACH: the group {os.getpgrp()} is the host's")
os.killpg(0, signal.SIGSTOP)
signal.pause()
