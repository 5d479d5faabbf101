# why: A module that is changed in a forked interpreter must be whole again in the next.
# expect: status=finished
# stdout: poisoned
import ctypes
import json
import math
import sys

math.sqrt = lambda x: 4
json.loads = json.dumps = lambda *args: "poisoned"
sys.modules["random"] = json
sys.path.insert(0, "/tmp")
sys.setrecursionlimit(50)
ctypes.memset(id(7) + 24, 9, 1)  # seven is nine from now on
print("poisoned")
