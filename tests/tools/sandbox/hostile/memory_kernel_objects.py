# why: Pipes, epolls, timers and inotify watches are memory of the kernel, bounded by counting descriptors.
# expect: status=finished|memory_limit
# stdout: contained
import ctypes
import os
import resource

libc = ctypes.CDLL(None)
made = 0
try:
    while made < 20_000:
        os.set_blocking(os.pipe()[1], False)
        libc.inotify_init()
        libc.timerfd_create(1, 0)
        libc.epoll_create(1)
        made += 1
except OSError as error:
    print("contained", error, made, resource.getrlimit(resource.RLIMIT_NOFILE))
