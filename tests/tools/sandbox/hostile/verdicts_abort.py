# why: abort ends by a signal, not by an exit code.
# expect: status=error exit_code=-6
import os

os.abort()
