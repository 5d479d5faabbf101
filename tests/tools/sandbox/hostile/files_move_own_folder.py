# why: The scratch folder's own name is not the program's to change, so that it is found and cleared.
# expect: status=finished
# stdout: contained
import contextlib
import os

here = os.getcwd()
for target in (here + "-moved", "/tmp/moved"):
    with contextlib.suppress(OSError):
        os.rename(here, target)
with contextlib.suppress(OSError):
    os.rmdir(here)
with contextlib.suppress(OSError):
    os.symlink("/etc", here)
print("contained")
