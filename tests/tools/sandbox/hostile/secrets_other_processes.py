# why: The environment, the command line and the descriptors of every process are files in /proc.
# expect: status=finished
# stdout: contained
# outside: BREACH
import json
import os
import re
from pathlib import Path

world = json.loads(Path("world.json").read_text())
try:
    listed = [int(name) for name in os.listdir("/proc") if name.isdigit()]
except OSError:
    listed = []
for pid in {1, 2, os.getppid(), world["parent"], world["sentinel"], *listed} - {os.getpid()}:
    for name in ("environ", "cmdline", "maps", "stack", "auxv", "io"):
        try:
            content = Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            continue
        if re.search(rb"SECRET-[0-9a-f]{32}", content):
            print("BREACH", pid, name, content)
print("contained")
