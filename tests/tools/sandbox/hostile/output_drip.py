# why: A byte now and then keeps any timeout between two bytes from striking.
# expect: status=time_limit
# stdout: ....
# limits: seconds=1
import time

while True:
    print(".", end="", flush=True)
    time.sleep(0.02)
