# why: One datagram is enough to carry a secret away; the host's port must hear nothing.
# expect: status=finished|error
# outside: BREACH
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.settimeout(0.5)
    sender.sendto(b"carried away", ("127.0.0.1", world["udp"]))
    print("BREACH", sender.recv(200))
