# why: A program that kills itself met no limit: SIGKILL is a way to die like others.
# expect: status=error exit_code=-9
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
