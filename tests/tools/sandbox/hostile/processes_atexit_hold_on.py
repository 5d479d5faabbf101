# why: What is registered for the end can put it off for ever.
# expect: status=time_limit
# stdout: last words
# limits: seconds=1
import atexit
import time


@atexit.register
def stay() -> None:
    print("last words", flush=True)
    time.sleep(60)
