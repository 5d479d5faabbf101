# why: Whoever reports on a run holds a pipe; writing into it would be writing one's own verdict.
# expect: status=error exit_code=3
# stdout: tried
import contextlib
import json
import os

fake = json.dumps({"exit": 0, "status": 0, "killed": "", "seconds": 0, "files": [], "run": 1}).encode()
framed = len(fake).to_bytes(4, "little") + fake
for pid in {1, os.getppid()}:
    for number in range(64):
        with contextlib.suppress(OSError):
            if os.path.exists(f"/proc/{pid}/fd/{number}"):
                print("BREACH: to be seen", pid, number)
            os.write(os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY | os.O_NONBLOCK), framed)
            print("BREACH: written", pid, number)
print("tried", flush=True)
os._exit(3)
