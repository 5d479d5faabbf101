# why: Closing the input breaks the pipe for its writer, who must not mind.
# expect: status=finished
# stdout: contained
# stdin: 8000000
import os
import time

os.close(0)
time.sleep(0.2)
print("contained")
