# why: Descriptors sent into a socket that nobody reads are open in no process and count against no limit of one.
# expect: status=finished|error|memory_limit
# stdout: contained
import array
import os
import socket

sent = 0
pairs = [socket.socketpair() for _ in range(50)]
reader, writer = os.pipe()
try:
    for end, _ in pairs:
        end.setblocking(False)
        while sent < 100_000:
            end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader] * 200))])
            sent += 200
except OSError:
    pass
print("contained" if sent < 100_000 else f"BREACH: {sent} descriptors in flight")
