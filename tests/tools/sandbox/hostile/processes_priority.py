# why: A real-time process starves everything else on its core, the sandbox included.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import contextlib
import os

for policy in (os.SCHED_FIFO, os.SCHED_RR):
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(1))
        print("BREACH", policy)
with contextlib.suppress(OSError):
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    print("BREACH: nice")
print("contained")
