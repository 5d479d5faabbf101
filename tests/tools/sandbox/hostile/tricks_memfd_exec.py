# why: A program without a file: memfd and fexecve.
# expect: status=finished
# stdout: contained
import contextlib
import os
import sys
from pathlib import Path

if os.fork() == 0:
    with contextlib.suppress(OSError):
        memory = os.memfd_create("program")
        os.write(memory, Path(os.path.realpath("/bin/sh")).read_bytes())
        os.execve(memory, ["sh", "-c", "cat /etc/shadow && echo BREACH"], {})
    os._exit(0)
os.wait()
print("contained", file=sys.stdout)
