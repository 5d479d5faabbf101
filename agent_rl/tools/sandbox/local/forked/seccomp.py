"""seccomp: the calls to the kernel that no program gets through.

What is forbidden: looking into other processes, mounting, namespaces, keys, tracing, loading code into the kernel, its
clocks, io_uring (which would get around this filter), sockets other than those of the Unix family, and memory that
belongs to no process and that nobody could count.
"""

import ctypes
import os
import struct
from functools import cache

from . import kernel

_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x50000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in the kernel's description of a call
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FOREIGN_NUMBERS = 0x40000000  # x32 calls carry this bit
_NAMESPACE_FLAGS = 0x7E020000
_UNIX = 1
# Numbers on x86_64 and aarch64.
_FORBIDDEN = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "process_madvise": (440, 440),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "mount_setattr": (442, 442),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "syslog": (103, 116), "quotactl": (179, 60), "personality": (135, 92), "vhangup": (153, 58),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "mlock": (149, 228), "mlockall": (151, 230), "mlock2": (325, 284), "move_pages": (279, 239),
    "migrate_pages": (256, 238), "mbind": (237, 235), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180),
}  # fmt: skip
# A session of its own would have a share of the processor of its own, as much as all of another run.
_DONE_ALREADY = {"setsid": (112, 157)}
# The libraries do without these when they hear that there is no such call.
_UNKNOWN = {
    "clone3": (435, 435), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "inotify_init": (253, 26), "inotify_init1": (294, 26),
}  # fmt: skip
_CLONE, _SOCKET, _SOCKETPAIR = (56, 220), (41, 198), (53, 199)
_SIGNALS = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]  # as ctypes wants it


def supported() -> bool:
    """Return whether the numbers of this machine's calls are known."""
    return os.uname().machine in _MACHINES


def restrict(sockets: bool = True, only_signals: int | None = None) -> None:
    """Put the filter on this process and all that it starts. `no_new_privileges` comes first.

    Args:
        sockets: Whether sockets of the Unix family may be opened, and not just pairs of them.
        only_signals: The one process to which signals may be sent, where there is to be one.
    """
    code = b"".join((_calls(sockets), *_signals(only_signals), _step(_RETURN, _ALLOW)))
    program = _Program(len(code) // 8, code)
    kernel.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program))


def prepare() -> None:
    """Make in the fork server what each of its runs needs."""
    _calls(True)
    _calls(False)


@cache
def _calls(sockets: bool) -> bytes:
    """Return the instructions that stop what is forbidden to all."""
    machine, steps = os.uname().machine, []
    steps += [
        _step(_LOAD, _MACHINE),
        _step(_EQUAL, _MACHINES[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(_AT_LEAST, _FOREIGN_NUMBERS, 0, 1), _step(_RETURN, _ERRNO | _ENOSYS)]
    for calls, answer in ((_FORBIDDEN, _EPERM), (_UNKNOWN, _ENOSYS), (_DONE_ALREADY, 0)):
        for numbers in calls.values():
            steps += [_step(_EQUAL, _number(numbers), 0, 1), _step(_RETURN, _ERRNO | answer)]
    if not sockets:
        steps += [_step(_EQUAL, _number(_SOCKET), 0, 1), _step(_RETURN, _ERRNO | _EPERM)]
    for numbers in (_SOCKET, _SOCKETPAIR):
        steps += _unless_argument(numbers, _UNIX)
    flags = [_step(_ANY_BIT, _NAMESPACE_FLAGS, 0, 1), _step(_RETURN, _ERRNO | _EPERM), _step(_RETURN, _ALLOW)]
    steps += [_step(_EQUAL, _number(_CLONE), 0, 4), _step(_LOAD, _FIRST_ARGUMENT), *flags]
    return b"".join(steps)


def _signals(only: int | None) -> list[bytes]:
    """Return the instructions that stop signals to others than one process."""
    if only is None:
        return []
    return [step for numbers in _SIGNALS.values() for step in _unless_argument(numbers, only)]


def _unless_argument(numbers: tuple[int, int], value: int) -> list[bytes]:
    """Return the instructions that stop a call unless its first argument is `value`."""
    steps = [_step(_EQUAL, _number(numbers), 0, 4), _step(_LOAD, _FIRST_ARGUMENT), _step(_EQUAL, value, 1, 0)]
    return [*steps, _step(_RETURN, _ERRNO | _EPERM), _step(_RETURN, _ALLOW)]


def _number(numbers: tuple[int, int]) -> int:
    return numbers[list(_MACHINES).index(os.uname().machine)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one instruction; the last two say how many to leap over."""
    return struct.pack("<HBBI", code, if_true, if_false, value)
