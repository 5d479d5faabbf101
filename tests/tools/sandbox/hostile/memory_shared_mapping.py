# why: Shared anonymous memory is a file of the kernel's own and counts in no process alone.
# expect: status=finished|error|memory_limit
# limits: memory_mb=256
import mmap

blocks = []
for _ in range(9):
    blocks.append(mmap.mmap(-1, 100 << 20))
    blocks[-1].write(bytes(100 << 20))
print("BREACH", len(blocks))
