# why: Whoever sets the clock breaks every deadline and every certificate of the host.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import ctypes
import errno
import time

libc = ctypes.CDLL(None, use_errno=True)
try:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    print("BREACH: clock_settime")
except OSError:
    pass
pair = (ctypes.c_long * 2)(int(time.time()), 0)
if libc.settimeofday(pair, None) == 0:
    print("BREACH: settimeofday")
libc.adjtimex((ctypes.c_long * 64)(0x4000))  # a tick of zero: invalid for root, forbidden to everybody else
if ctypes.get_errno() == errno.EINVAL:
    print("BREACH: adjtimex")
print("contained")
