# why: Programs run side by side; none may look into the scratch folder of another.
# expect: status=finished
# stdout: contained
import os
from pathlib import Path

for top in ("..", "../..", "/tmp", "/var/tmp", "/dev/shm", "/run"):
    for where, folders, names in os.walk(top):
        if len(Path(where).relative_to(top).parts) > 2 or where.endswith(("/proc", "/usr")):
            folders.clear()
        for name in names:
            if name.startswith("neighbour"):
                try:
                    print("BREACH", where, Path(where, name).read_text())
                except OSError as error:
                    print("seen", where, error)
print("contained")
