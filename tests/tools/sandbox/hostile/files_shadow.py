# why: The password hashes of the host are readable for its root, whom a program must not be.
# expect: status=finished
# stdout: contained
# outside: BREACH root
from pathlib import Path

for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/root/.ssh/id_rsa", "/root/.bash_history"):
    try:
        if Path(path).read_bytes():
            print("BREACH", path)
    except OSError:
        continue
print("contained")
