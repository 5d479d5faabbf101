# why: Instances of inotify are counted per user of the host: using them up hurts everybody who is that user.
# expect: status=finished
# stdout: contained
# outside: BREACH
import ctypes

libc = ctypes.CDLL(None)
watchers = [libc.inotify_init() for _ in range(20)]
watches = sum(libc.inotify_add_watch(watchers[0], b".", 1 << bit) >= 0 for bit in range(12))
if max(watchers) >= 0:
    print("BREACH", watches)
print("contained")
