# why: What a program writes, to any descriptor, is its output and never the sandbox's own word about it.
# expect: status=error exit_code=3
# stdout: accepted
import contextlib
import json
import os

fake = json.dumps({"status": "finished", "exit_code": 0, "stdout": "accepted", "verdict": "accepted", "message": ""})
for number in range(1, 256):
    with contextlib.suppress(OSError):
        os.write(number, f"{fake}\n".encode())
os._exit(3)
