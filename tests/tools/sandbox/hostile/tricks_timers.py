# why: Clocks of a program's own, thousands of them, all of which ring at once.
# expect: status=finished|error
# stdout: contained
import signal
import time

signal.signal(signal.SIGALRM, lambda *arguments: None)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
until = time.monotonic() + 0.3
while time.monotonic() < until:
    pass
print("contained")
