# why: 124 and 137 are what shells say of time and memory; from a program's own mouth they are exit codes.
# expect: status=error exit_code=137
import sys

sys.exit(137)
