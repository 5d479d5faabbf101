# why: A line in the standard library or in usercustomize would run in every later program.
# expect: status=finished
# stdout: contained
import json
import os
import site
import sys
from pathlib import Path

targets = [json.__file__, os.__file__, os.path.join(site.getusersitepackages(), "usercustomize.py")]
targets += [os.path.join(folder, "sitecustomize.py") for folder in sys.path if folder.startswith("/usr")]
for target in targets:
    try:
        with Path(target).open("a"):
            print("BREACH", target)
    except OSError:
        continue
print("contained")
