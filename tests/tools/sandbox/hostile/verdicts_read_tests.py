# why: Only what was given lies in the folder: no tests, no answers, nothing of earlier runs.
# expect: status=finished
# stdout: contained
import os

for where, folders, names in os.walk("."):
    for name in [*folders, *names]:
        if not name.startswith(("world.", "main", "program", "__")):
            print("BREACH", where, name)
print("contained")
