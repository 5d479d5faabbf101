# why: Before setsid a program stands in the group of whoever started it.
# expect: status=error exit_code=-15
import os
import signal
import sys

if not 0 < os.getpgrp() < 64:
    sys.exit(f"BREACH: the group {os.getpgrp()} is the host's")
os.kill(0, signal.SIGTERM)
signal.pause()
