# why: The kernel's keyrings are inherited through fork and hold Kerberos tickets and disk keys.
# expect: status=finished
# stdout: contained
# outside: BREACH
# needs: x86_64
import ctypes
import json
from pathlib import Path

world = json.loads(Path("world.json").read_text())
libc = ctypes.CDLL(None, use_errno=True)
ADD_KEY, KEYCTL, SEARCH, READ = 248, 250, 10, 11
for keyring in (-1, -2, -3, -4, -5):  # of the thread, the process, the session, the user, the user's session
    key = libc.syscall(KEYCTL, SEARCH, keyring, b"user", world["key"].encode(), 0)
    content = ctypes.create_string_buffer(200)
    if key >= 0 and libc.syscall(KEYCTL, READ, key, content, 200) > 0:
        print("BREACH", keyring, content.value)
    if libc.syscall(ADD_KEY, b"user", world["marker"].encode(), b"left behind", 11, keyring) >= 0:
        print("BREACH", keyring, "takes a key")
print("contained")
