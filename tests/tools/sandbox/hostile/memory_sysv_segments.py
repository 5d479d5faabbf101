# why: A segment of System V outlives its maker and counts as nobody's.
# expect: status=finished|error|memory_limit
# limits: memory_mb=256
import ctypes
import json
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
filled = 0
for number in range(9):
    segment = libc.shmget(world["shm_key"] + 1 + number, ctypes.c_size_t(100 << 20), 0o1600)
    address = libc.shmat(segment, None, 0) if segment >= 0 else None
    if address and address != ctypes.c_void_p(-1).value:
        ctypes.memset(address, 1, 100 << 20)
        filled += 1
print("contained" if filled <= 2 else f"BREACH: {filled} segments")
