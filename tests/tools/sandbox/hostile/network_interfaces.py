# why: The interfaces of the host tell where it stands, and netlink changes its routes.
# expect: status=finished
# stdout: contained
# outside: BREACH
import socket
from pathlib import Path

try:
    seen = {name for _, name in socket.if_nameindex()}
    if seen - {"lo"}:
        print("BREACH", seen)
except OSError:
    pass
for table in ("/proc/net/tcp", "/proc/net/route", "/proc/net/unix"):
    try:
        lines = Path(table).read_text().splitlines()[1:]
        if lines:
            print("BREACH", table, len(lines))
    except OSError:
        continue
print("contained")
