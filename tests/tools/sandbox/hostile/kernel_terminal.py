# why: TIOCSTI types into the terminal of whoever started the sandbox, as if it were the user.
# expect: status=finished
# stdout: contained
import contextlib
import fcntl
import os
import termios

with contextlib.suppress(OSError):
    os.close(os.open("/dev/tty", os.O_RDWR))
    print("BREACH: a controlling terminal")
for number in (0, 1, 2):
    with contextlib.suppress(OSError):
        fcntl.ioctl(number, termios.TIOCSTI, b"\n")
        print("BREACH", number)
with contextlib.suppress(OSError):
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    fcntl.ioctl(slave, termios.TIOCSTI, b"x")
    print("a terminal of its own", os.ttyname(slave))
print("contained")
