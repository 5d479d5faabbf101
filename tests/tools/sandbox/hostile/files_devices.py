# why: Disks, memory, consoles and the hypervisor stand behind files.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import os

NAMES = (
    "mem", "kmem", "port", "kmsg", "kvm", "vda", "sda", "nvme0n1", "zram0", "tty", "console", "tty0", "ttyS0", "fuse",
    "vsock", "net/tun", "userfaultfd", "loop-control", "loop0", "hwrng", "btrfs-control", "dri/card0", "nvidia0",
)  # fmt: skip
for name in NAMES:
    try:
        os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
        print("BREACH", name)
    except OSError:
        continue
print("contained")
