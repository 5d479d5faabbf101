# why: Thousands of mappings in each of many processes: whoever adds up their memory has time for nothing else.
# expect: status=finished|error|memory_limit|time_limit
# limits: memory_mb=256 processes=32 seconds=3
import contextlib
import mmap
import os
import time

block = mmap.mmap(-1, 120 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, 30_000, 2):
    block[page * 4096] = 1
    block.madvise(16, page * 4096, 4096)  # MADV_DONTDUMP: the page becomes a mapping of its own
for _ in range(30):
    with contextlib.suppress(OSError):
        if os.fork() == 0:
            time.sleep(2)
            os._exit(0)
time.sleep(1)
