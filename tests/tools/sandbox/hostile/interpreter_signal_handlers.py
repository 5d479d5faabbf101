# why: If the deadline were an alarm within the program, the program could take it off.
# expect: status=time_limit
# limits: seconds=1
import signal
import time

for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGTERM, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)
signal.setitimer(signal.ITIMER_REAL, 0)
signal.alarm(0)
time.sleep(60)
