# why: What a program may not read itself, its sandbox still has to clear away.
# expect: status=finished
# fetch: loot
# stdout: masked
import os
from pathlib import Path

os.umask(0o777)
Path("loot").write_text("unreadable")
os.mkdir("locked")
print("masked")
