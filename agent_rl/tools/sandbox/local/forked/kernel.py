"""What the kernel offers and Python has no function for."""

import ctypes
import os

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS, _SUBREAPER, _CAP_AMBIENT = 1, 4, 38, 36, 47
_MOUNT_SETATTR, _PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
_CLOSE_RANGE = 436
_DETACH = 2
_KILL = 9
_AT_RECURSIVE = 0x8000
_CAPABILITIES_V3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
# Types that would be made anew in every run otherwise.
_CAPABILITIES_OF_THIS_THREAD, _NO_CAPABILITIES = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)()


def checked(result: int, what: str) -> int:
    """Return `result`, unless it says that the call failed.

    Raises:
        OSError: It failed; `what` says where.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: object) -> int:
    """Call the kernel by number."""
    return checked(_libc.syscall(ctypes.c_long(number), *arguments), what)


def prctl(option: int, *arguments: int) -> int:
    """Change something of this process."""
    return checked(_libc.prctl(option, *arguments, *[0] * (4 - len(arguments))), f"prctl {option}")


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that forked it ends."""
    prctl(_PDEATHSIG, _KILL)


def dumpable(allowed: bool) -> None:
    """Allow or forbid that other processes of the same user look into this one through /proc."""
    prctl(_DUMPABLE, int(allowed))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none gets away."""
    prctl(_SUBREAPER, 1)


def no_new_privileges() -> None:
    """Give up for good what a set-user-id program would bring."""
    prctl(_NO_NEW_PRIVS, 1)


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones."""
    checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter(namespace: int, flags: int) -> None:
    """Enter the namespace that the descriptor names."""
    checked(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(flags)), "setns")


def own_user(inside: int, outside: int) -> None:
    """Enter a new user namespace, in which the user `outside` is `inside`, and there is no other."""
    group = os.getegid()
    unshare(NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{inside} {outside} 1"), ("gid_map", f"{inside} {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something."""
    encoded = [None if text is None else text.encode() for text in (source, target, kind)]
    checked(_libc.mount(*encoded, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def make_read_only(target: str, below: bool = True) -> None:
    """Make a mount, and those `below` it, read-only, without set-user-id and without devices."""
    attributes = (ctypes.c_uint64 * 4)(RDONLY | NOSUID | NODEV, 0, 0, 0)
    flags = ctypes.c_uint(_AT_RECURSIVE if below else 0)
    where = (ctypes.c_int(-100), target.encode())
    syscall(f"mount_setattr {target}", _MOUNT_SETATTR, *where, flags, attributes, ctypes.c_size_t(32))


def change_root(folder: str) -> None:
    """Make a mounted folder the root, and let go of the old one."""
    os.chdir(folder)
    syscall("pivot_root", _PIVOT_ROOT[os.uname().machine], b".", b".")
    checked(_libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def close_from(first: int) -> None:
    """Close the descriptors from `first` on."""
    syscall("close_range", _CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), ctypes.c_uint(0))


def drop_capabilities() -> None:
    """Give up every capability of this thread for good."""
    prctl(_CAP_AMBIENT, 4)  # clear all
    checked(_libc.capset(_CAPABILITIES_OF_THIS_THREAD, _NO_CAPABILITIES), "capset")


def end_all_but_this() -> None:
    """Kill all that this process may send a signal to, itself and init left out, and wait until it has no child."""
    _libc.kill(-1, _KILL)  # through C because Python makes an exception where there is nobody, as there mostly is
    while _libc.waitpid(-1, None, 0) > 0:
        pass
