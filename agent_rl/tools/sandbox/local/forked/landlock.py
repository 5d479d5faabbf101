"""Landlock: which folders a process and all that it starts may read, and which they may write."""

import ctypes
import os
import struct
from collections.abc import Iterable

from . import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ = 1 | 4 | 8  # execute, read files, read folders
_OF_FILES = 1 | 2 | 4 | 1 << 14 | 1 << 15
_DEVICES = 1 << 6 | 1 << 11  # make character and block devices
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # bits of the file system's rights by version of the interface; later 16
_SCOPES = 3  # abstract sockets and signals
KEEPS_SIGNALS = 6
"""The version of the interface that keeps signals and abstract sockets apart too (Linux 6.12)."""


def version() -> int:
    """Return the version of the kernel's interface, 0 where there is none."""
    try:
        return kernel.syscall("landlock", _CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    except OSError:
        return 0


def restrict(read: Iterable[str], write: Iterable[str]) -> None:
    """Let this process use files below `read` and `write` alone, no network, and signal none but its descendants.

    A path that is not there, or cannot be opened, is left out. `no_new_privileges` comes first.
    """
    known = version()
    rights = (1 << _RIGHTS.get(known, 16)) - 1
    rules = _ruleset(known, rights, 3 if known >= 4 else 0)
    for paths, allowed in ((read, _READ), (write, rights & ~_DEVICES)):
        for path in paths:
            _allow(rules, path, allowed & rights)
    _enforce(rules)


def _ruleset(known: int, rights: int, network: int) -> int:
    attributes = struct.pack("<QQQ", rights, network, _SCOPES if known >= KEEPS_SIGNALS else 0)
    size = 24 if known >= KEEPS_SIGNALS else 16 if known >= 4 else 8
    return kernel.syscall("landlock_create_ruleset", _CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))


def _allow(rules: int, path: str, allowed: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    try:
        if not os.path.isdir(path):
            allowed &= _OF_FILES
        rule = struct.pack("<Qi", allowed, beneath)
        kernel.syscall(f"landlock_add_rule {path}", _ADD, ctypes.c_int(rules), ctypes.c_int(1), rule, ctypes.c_uint(0))
    finally:
        os.close(beneath)


def _enforce(rules: int) -> None:
    try:
        kernel.syscall("landlock_restrict_self", _RESTRICT, ctypes.c_int(rules), ctypes.c_uint(0))
    finally:
        os.close(rules)
