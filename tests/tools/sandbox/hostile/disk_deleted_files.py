# why: A file that is open and has no name any more is in no listing of the folder.
# expect: status=finished|error
# stdout lacks: written
# limits: disk_mb=16 memory_mb=512
import os

files = []
for number in range(64):
    files.append(os.open(f"bomb{number}", os.O_CREAT | os.O_WRONLY))
    os.unlink(f"bomb{number}")
    os.write(files[-1], b"x" * (1 << 20))
    if os.fstat(files[-1]).st_size < 1 << 20:
        raise OSError("full")
print("BREACH: all written")
