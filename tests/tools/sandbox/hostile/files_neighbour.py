# why: Programs run side by side; none may look into the scratch folder of another.
# expect: status=finished
# stdout: contained
import os
from pathlib import Path

for folder in ("..", "../..", "/tmp", "/var/tmp", "/dev/shm", "/run"):
    for where, _, names in os.walk(folder):
        if where.count("/") > 6:
            continue
        for name in names:
            if name.startswith("neighbour"):
                try:
                    print("BREACH", where, Path(where, name).read_text())
                except OSError as error:
                    print("seen", where, error)
print("contained")
