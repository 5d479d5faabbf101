# why: What cannot be removed as easily as it was made stays behind: no rights, long paths, flags.
# expect: status=finished
# stdout: contained
import contextlib
import fcntl
import os
from pathlib import Path

here = os.getcwd()
for depth in range(600):
    os.mkdir("a folder within a folder")
    os.chdir("a folder within a folder")
    if depth > 590:
        Path("file").write_text("deep")
os.chdir(here)
for name in ("line\nbreak", " ", "-rf", "x" * 255, "\udcff\udcfe", "*"):
    Path(name).write_text("odd")
os.makedirs("locked/inner")
Path("locked/inner/file").write_text("locked")
Path("still").write_text("immutable")
with contextlib.suppress(OSError), open("still") as file:
    fcntl.ioctl(file, 0x40086602, b"\x10\0\0\0\0\0\0\0")  # FS_IOC_SETFLAGS, immutable
os.chmod("locked/inner", 0)
os.chmod("locked", 0)
os.chmod(".", 0)
print("contained")
