# why: Threads are processes to the kernel and count alike.
# expect: status=finished
# stdout: contained
# limits: processes=16
import os
import threading
import time

started = 0
try:
    while started < 400:
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
print("contained" if started <= 16 else f"BREACH: {started} threads", flush=True)
os._exit(0)
