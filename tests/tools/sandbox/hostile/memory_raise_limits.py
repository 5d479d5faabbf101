# why: A hard limit that can be raised is none.
# expect: status=finished
# stdout: contained
import resource

for name in [name for name in dir(resource) if name.startswith("RLIMIT_")]:
    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    if hard == resource.RLIM_INFINITY:
        continue
    for wanted in (resource.RLIM_INFINITY, hard + 1):
        for setting in (resource.setrlimit, lambda number, limit: resource.prlimit(0, number, limit)):
            try:
                setting(number, (wanted, wanted))
                print("BREACH", name, hard)
            except (OSError, ValueError):
                continue
print("contained")
