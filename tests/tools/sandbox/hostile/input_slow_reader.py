# why: A program that reads a little and then sleeps holds the other end of the pipe in the middle of writing.
# expect: status=time_limit
# stdin: 8000000
# limits: seconds=1
import os
import time

os.read(0, 10)
time.sleep(60)
