# why: The server's modules stay loaded after a fork; calling them must not reach beyond the program's rights.
# expect: status=finished|error
# stdout: contained
import contextlib
import gc
import os
import socket
import sys
import types

gc.unfreeze()
for item in gc.get_objects():
    if isinstance(item, socket.socket) and item.fileno() >= 0:
        with contextlib.suppress(OSError):
            os.fstat(item.fileno())
            print("BREACH", item)
for name, module in list(sys.modules.items()):
    if "agent_rl" in name or "sandbox" in name:
        for value in vars(module).values():
            if isinstance(value, int) and not isinstance(value, bool) and 2 < value < 4096:
                try:
                    os.fstat(value)
                    print("BREACH", name, value)
                except OSError:
                    continue
            if isinstance(value, types.FunctionType) and value.__name__ in ("serve", "main"):
                print("a way back:", name, value.__name__)
print("contained")
