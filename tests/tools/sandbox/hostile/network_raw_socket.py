# why: Raw and packet sockets write frames of their own and read those of others.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import socket

for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW, 0x0300)):
    try:
        socket.socket(family, kind, protocol).close()
        print("BREACH", family)
    except OSError:
        continue
print("contained")
