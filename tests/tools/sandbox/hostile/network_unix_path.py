# why: A unix socket in the file system (of Docker, say) obeys whoever can connect to it.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import socket
from pathlib import Path

world = json.loads(Path("world.json").read_text())
for path in (world["unix"], "/proc/1/root" + world["unix"], "/var/run/docker.sock", "/run/dbus/system_bus_socket"):
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(path)
            print("BREACH", connection.recv(200))
    except OSError:
        continue
print("contained")
