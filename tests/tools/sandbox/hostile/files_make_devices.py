# why: A device file of one's own making is as good as the real one.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import os
import stat

for name, major, minor in (("memory", 1, 1), ("disk", 8, 0), ("other", 254, 0), ("log", 1, 11)):
    kind = stat.S_IFCHR if major == 1 else stat.S_IFBLK
    try:
        os.mknod(name, kind | 0o666, os.makedev(major, minor))
        os.close(os.open(name, os.O_RDONLY | os.O_NONBLOCK))
        print("BREACH", name)
    except OSError:
        continue
print("contained")
