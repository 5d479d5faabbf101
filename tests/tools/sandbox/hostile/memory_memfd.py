# why: memfd_create gives files in memory that lie in no folder and obey no limit of a file system.
# expect: status=finished|error|memory_limit
# stdout lacks: 9 files
# limits: memory_mb=256 disk_mb=16
import os

files = []
try:
    for _ in range(9):
        files.append(os.memfd_create("bomb"))
        for _ in range(100):
            os.write(files[-1], b"x" * (1 << 20))
    print("BREACH", len(files), "files of 100 MiB")
except OSError as error:
    print("contained", error)
