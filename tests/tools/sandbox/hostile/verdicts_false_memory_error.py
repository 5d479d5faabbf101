# why: The words MemoryError and Killed in the output are words.
# expect: status=finished exit_code=0
# stderr: MemoryError
import sys

print("Traceback (most recent call last):\nMemoryError\nKilled\ntimeout", file=sys.stderr)
