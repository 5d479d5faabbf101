# why: fallocate takes the space without writing it.
# expect: status=finished|error
# stdout lacks: allocated
# limits: disk_mb=16
import os

with open("bomb", "wb") as file:
    os.posix_fallocate(file.fileno(), 0, 64 << 20)
print("BREACH: allocated")
