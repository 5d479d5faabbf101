# why: TCP Fast Open connects in sendto, where a filter of connect does not look.
# expect: status=finished
# stdout: contained
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
MSG_FASTOPEN = 0x20000000
for family, address in ((socket.AF_INET, ("127.0.0.1", world["tcp"])), (socket.AF_INET6, ("::1", world["tcp"]))):
    try:
        with socket.socket(family) as connection:
            connection.settimeout(2)
            connection.sendto(b"hello", MSG_FASTOPEN, address)
            print("BREACH", connection.recv(200))
    except OSError:
        continue
print("contained")
