# why: A hard limit that can be raised is none.
# expect: status=finished
# stdout: contained
import resource

NAMES = [
    "AS",
    "CORE",
    "CPU",
    "DATA",
    "FSIZE",
    "MEMLOCK",
    "MSGQUEUE",
    "NICE",
    "NOFILE",
    "NPROC",
    "RTPRIO",
    "SIGPENDING",
    "STACK",
]
for name in NAMES:
    number = getattr(resource, "RLIMIT_" + name)
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
