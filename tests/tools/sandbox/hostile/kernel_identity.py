# why: A program must not become root, nor any other user or group.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import os

for name, wish in (
    ("setuid", lambda: os.setuid(0)),
    ("setresuid", lambda: os.setresuid(0, 0, 0)),
    ("setreuid", lambda: os.setreuid(2, 2)),
    ("setgid", lambda: os.setgid(0)),
    ("setgroups", lambda: os.setgroups([0, 1, 2])),
):
    try:
        wish()
        print("BREACH", name, os.getresuid())
    except OSError:
        continue
if os.getuid() == 0 or os.geteuid() == 0 or 0 in os.getgroups():
    print("BREACH: root", os.getresuid(), os.getgroups())
print("contained")
