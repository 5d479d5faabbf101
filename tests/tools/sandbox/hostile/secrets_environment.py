# why: API keys stand in the environment of whoever runs the sandbox.
# expect: status=finished
# stdout: contained
# outside: BREACH
import contextlib
import os
import re
from pathlib import Path

found = [text for text in map(str, os.environ.items()) if re.search("SECRET-[0-9a-f]{32}", text)]
with contextlib.suppress(OSError):
    found += re.findall("SECRET-[0-9a-f]{32}", Path("/proc/self/environ").read_text())
if found:
    print("BREACH", found)
print("contained")
