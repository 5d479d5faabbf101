# why: Politeness does not end a program that ignores every signal it may ignore.
# expect: status=time_limit
# limits: seconds=1
import signal
import time

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except OSError:
        continue
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
until = time.monotonic() + 20
while time.monotonic() < until:
    pass
