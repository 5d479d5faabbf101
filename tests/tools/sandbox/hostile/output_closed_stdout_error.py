# why: What a program wrote before it closed its output is kept, and its exit code as well.
# expect: status=error exit_code=7
# stdout: before
import os

os.write(1, b"before\n")
os.close(1)
os.close(2)
os._exit(7)
