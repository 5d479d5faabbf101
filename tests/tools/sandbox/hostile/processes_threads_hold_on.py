# why: The main thread ends, another goes on: the interpreter waits for it, the sandbox does not.
# expect: status=time_limit
# stdout: main is done
# limits: seconds=1
import threading
import time

threading.Thread(target=time.sleep, args=(60,)).start()
print("main is done", flush=True)
