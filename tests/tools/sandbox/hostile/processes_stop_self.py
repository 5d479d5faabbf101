# why: A stopped process does not end and does not burn processor time: only the clock on the wall ends it.
# expect: status=time_limit
# limits: seconds=1
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
signal.pause()
