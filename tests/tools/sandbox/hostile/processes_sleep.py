# why: Sleeping costs nothing and ends never.
# expect: status=time_limit
# stdout: before
# limits: seconds=1
import time

print("before", flush=True)
time.sleep(60)
