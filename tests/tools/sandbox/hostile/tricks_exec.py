# why: exec replaces the interpreter with any other program, in the same sandbox.
# expect: status=error exit_code=5
# stdout: replaced
import os

os.execv("/bin/sh", ["sh", "-c", "echo replaced; cat /proc/$PPID/environ; exit 5"])
