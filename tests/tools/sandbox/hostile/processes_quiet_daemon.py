# why: A daemon that lets go of all descriptors is not noticed by whoever waits for the end of a pipe.
# expect: status=finished
# stdout: bye
import json
import os
import time
from pathlib import Path

world = json.loads(Path("world.json").read_text())
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 256)
    for signal in range(100):
        time.sleep(0.05)
        for folder in ("/tmp", "/dev/shm", "."):
            try:
                Path(folder, f"{world['marker']}-{signal}").write_text("left behind")
            except OSError:
                continue
    os._exit(0)
print("bye")
