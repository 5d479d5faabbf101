"""The root folder of the sandbox: the system's programs and libraries, read-only, and nothing of anybody's own."""

import os
from collections.abc import Iterable

from . import kernel

SCRATCH = "/scratch"
"""Where a program may write."""
_LIBRARIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_WRITTEN = {
    "/etc/passwd": "root:x:0:0::/:/bin/false\nuser:x:1000:1000::/scratch:/bin/sh\n",
    "/etc/group": "root:x:0:\nuser:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def build(readable: Iterable[str]) -> None:
    """Make a new root that shows little of the old one, in a mount namespace of this process's own.

    Args:
        readable: Absolute folders to show beside the system's libraries, at the places where they are.
    """
    kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    places = _outermost([*shown(), *readable])
    links = {path: os.readlink(path) for path in places if os.path.islink(path)}
    folders = [path for path in places if path not in links]
    opened = {path: os.open(path, os.O_PATH) for path in (*folders, *devices(), "/proc")}
    new = "/tmp"  # what was there is out of sight from here on, but open
    kernel.mount("tmpfs", new, "tmpfs", kernel.NOSUID | kernel.NODEV, "size=1m,mode=0755")
    _furnish(new, links, opened)
    for path, descriptor in opened.items():
        kernel.mount(f"/proc/self/fd/{descriptor}", new + path, None, kernel.BIND | kernel.RECURSIVE)
        os.close(descriptor)
        if path in folders:
            kernel.make_read_only(new + path)
    kernel.change_root(new)
    kernel.make_read_only("/", below=False)


def shown() -> list[str]:
    """Return what programs need of the system: libraries, programs, and the part of /etc that holds no secrets."""
    etc = [f"/etc/{name}" for name in sorted(os.listdir("/etc")) if name in _ETC or name.startswith("java-")]
    return [path for path in (*_LIBRARIES, *etc) if os.path.lexists(path)]


def devices() -> list[str]:
    """Return the devices that programs may use."""
    return [path for path in _DEVICES if os.path.exists(path)]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that lie below no other."""
    kept: list[str] = []
    for path in sorted(set(paths), key=len):
        if not any(path.startswith(f"{other}/") for other in kept):
            kept.append(path)
    return kept


def _furnish(new: str, links: dict[str, str], opened: dict[str, int]) -> None:
    """Make the places to mount at, the links and the small files."""
    for folder in (SCRATCH, "/etc", "/dev"):
        os.mkdir(new + folder)
    for path, descriptor in opened.items():
        place = new + path
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            os.makedirs(place, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.close(os.open(place, os.O_CREAT, 0o644))
    for path, target in (*links.items(), ("/dev/shm", SCRATCH), ("/dev/fd", "/proc/self/fd")):
        os.makedirs(os.path.dirname(new + path), exist_ok=True)
        os.symlink(target, new + path)
    if not os.path.lexists(f"{new}/tmp"):
        os.symlink(SCRATCH, f"{new}/tmp")
    for path, text in _WRITTEN.items():
        with open(new + path, "w") as file:
            file.write(text)
