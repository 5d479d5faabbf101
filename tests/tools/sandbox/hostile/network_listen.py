# why: A program that listens is a door into the sandbox; nobody outside may be able to knock.
# expect: status=finished|error
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
with socket.socket() as server:
    server.bind(("127.0.0.1", world["listen"]))
    server.listen()
    server.settimeout(1)
    try:
        server.accept()
        print("BREACH: somebody came in")
    except TimeoutError:
        print("nobody came")
