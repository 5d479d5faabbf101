# why: The double fork: a grandchild in a session of its own, which no waiting parent knows.
# expect: status=finished
# stdout: bye
# stdout lacks: still here
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(20)
        print("still here", flush=True)
        os._exit(0)
    os._exit(0)
print("bye")
