# why: A service of the host on 127.0.0.1 may hold data and keys; a program must not reach it.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0"):
    try:
        with socket.create_connection((host, world["tcp"]), timeout=2) as connection:
            print("BREACH", host, connection.recv(200))
    except OSError:
        continue
print("contained")
