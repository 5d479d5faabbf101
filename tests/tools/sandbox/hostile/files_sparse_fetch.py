# why: A sparse file costs no disk, and bringing it back would cost all the memory there is.
# expect: status=finished|error|output_limit
# fetch: loot
# limits: disk_mb=16
import contextlib
import os

with open("loot", "wb") as file:
    for size in (15 << 20, 1 << 42):
        with contextlib.suppress(OSError):
            os.truncate(file.fileno(), size)
