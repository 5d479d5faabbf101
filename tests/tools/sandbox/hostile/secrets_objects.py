# why: gc lists every container that the fork server left in the interpreter, frozen ones too.
# expect: status=finished
# stdout: contained
# limits: seconds=10 memory_mb=512
import gc
import re
import sys

gc.unfreeze()
pattern = re.compile("SECRET-[0-9a-f]{32}")
seen = 0
for item in gc.get_objects():
    parts = [*item.keys(), *item.values()] if type(item) is dict else item if type(item) in (list, tuple, set) else ()
    for part in parts:
        seen += 1
        if type(part) is bytes:
            part = part.decode("latin-1")
        if type(part) is str and pattern.search(part):
            print("BREACH", part)
for name, module in list(sys.modules.items()):
    for key, value in list(vars(module).items()):
        if pattern.search(str(type(value)) + (value if type(value) is str else "")):
            print("BREACH", name, key)
print("contained", seen > 1000)
