# why: Without that limit it ends in the end of the stack: a crash, a limit, but never the server's.
# expect: status=error|memory_limit|time_limit
# limits: seconds=3 memory_mb=256
import sys

sys.setrecursionlimit(2**31 - 1)


class Nested:
    def __repr__(self) -> str:
        return repr(self)


repr(Nested())
