# why: Abstract unix sockets have no file: only a network namespace or Landlock's scopes keep them away.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        with socket.socket(socket.AF_UNIX, kind) as connection:
            connection.settimeout(2)
            connection.connect("\0" + world["abstract"])
            print("BREACH", connection.recv(200))
    except OSError:
        continue
print("contained")
