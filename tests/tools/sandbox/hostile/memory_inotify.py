# why: Watches of inotify are counted per user of the host: filling them hurts everybody who shares the user.
# expect: status=finished
# stdout: contained
import ctypes
import os

libc = ctypes.CDLL(None)
watcher = libc.inotify_init()
watches = 0
for number in range(20_000):
    os.mkdir(f"f{number}") if number < 500 else None
    if libc.inotify_add_watch(watcher, f"f{number % 500}".encode(), 0x2 | (number << 8 & 0xF00)) < 0:
        break
    watches += 1
print("contained", watches)
