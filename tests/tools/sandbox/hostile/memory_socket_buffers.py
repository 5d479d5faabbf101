# why: What lies in the buffers of sockets and pipes is the kernel's memory and counted in no process.
# expect: status=finished|error|memory_limit
# stdout: contained
# limits: memory_mb=256 processes=16
import os
import socket
import sys

filled = 0
kept = []
try:
    while filled < 1 << 30:
        kept.append(socket.socketpair())
        for end in kept[-1]:
            end.setblocking(False)
            try:
                while filled < 1 << 30:
                    filled += end.send(bytes(1 << 16))
            except BlockingIOError:
                continue
except OSError:
    pass
print("contained" if filled < 256 << 20 else f"BREACH: {filled >> 20} MiB in {len(kept)} pairs", flush=True)
sys.stdout.flush()
os._exit(0)
