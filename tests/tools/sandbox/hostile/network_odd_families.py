# why: A network namespace does not hold vsock, which ends at the hypervisor; rare families are rarely audited code.
# expect: status=finished
# stdout: contained
import socket

AF_ALG, AF_VSOCK, AF_XDP, AF_QIPCRTR, AF_TIPC, AF_KCM, AF_KEY, AF_CAN, AF_RDS = 38, 40, 44, 42, 30, 41, 15, 29, 21
for family in (AF_ALG, AF_VSOCK, AF_XDP, AF_QIPCRTR, AF_TIPC, AF_KCM, AF_KEY, AF_CAN, AF_RDS):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind, 0).close()
            print("BREACH", family, kind)
        except OSError:
            continue
print("contained")
