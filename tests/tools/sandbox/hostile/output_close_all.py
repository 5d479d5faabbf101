# why: A program without descriptors cannot be heard any more and is to be ended all the same.
# expect: status=finished
import os

os.closerange(0, 4096)
os._exit(0)
