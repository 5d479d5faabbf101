# why: A program may bring machine code of its own; it is held by the kernel, not by the absence of files.
# expect: status=finished
# stdout: contained
import contextlib
import os
import shutil
import subprocess
import sys

with contextlib.suppress(OSError):
    shutil.copy(os.path.realpath(sys.executable), "mine")
    os.chmod("mine", 0o755)
    attack = "import ctypes, os; print('BREACH' if ctypes.CDLL(None).unshare(0x10000000) == 0 else 'held')"
    print(subprocess.run(["./mine", "-I", "-c", attack], capture_output=True, text=True, timeout=5).stdout)
print("contained")
