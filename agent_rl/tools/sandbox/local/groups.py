"""The cgroups of the runs of one sandbox, in a folder of their own below a cgroup that was delegated."""

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time
import weakref
from collections.abc import Iterator

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits
from agent_rl.tools.sandbox.local.cgroup import Group, removed
from agent_rl.tools.sandbox.local.delegated import delegated, prepared

_PREFIX = "agent_rl-"
_JOIN = 'echo 0 > "$0"'
_TRIAL_MB = 64
_ENDING = 1.0  # seconds that the kernel has to let go of a cgroup
_RETRY = 0.01  # seconds


class Groups:
    """The cgroups of a sandbox's runs. The folder's name tells the process, which holds a lock on it while it lives."""

    def __init__(self, parent: str) -> None:
        """Make the folder in the cgroup `parent`, and try whether a process can be put below it.

        What processes have left there that are dead is removed.

        Raises:
            UserError: It cannot be; the text says what is missing.
        """
        self._made = 0
        try:
            self._version = prepared(parent)
            self._folder, lock = _own(parent)
        except OSError as error:
            raise UserError(f"sandbox.cgroup: no cgroup can be made in {parent} ({error.strerror})") from error
        self._end = weakref.finalize(self, _end, self._folder, lock, os.getpid())
        try:
            prepared(self._folder)
            self._try(parent)
        except BaseException:
            self.close()
            raise

    def make(self, limits: Limits, given_mb: int) -> Group:
        """Make the cgroup of a run; its files are held in memory, and so count.

        Raises:
            OSError: The kernel does not allow it.
        """
        self._made += 1
        memory_mb = limits.memory_mb + limits.disk_mb + given_mb
        return Group(f"{self._folder}/{self._made}", self._version, memory_mb)

    def close(self) -> None:
        """Remove all; harmless twice."""
        self._end()

    def _try(self, parent: str) -> None:
        """Put a process into a cgroup.

        Raises:
            UserError: It is refused.
        """
        trial = f"{self._folder}/trial"
        try:
            for descriptor in Group(trial, self._version, _TRIAL_MB).descriptors:
                os.close(descriptor)
            join = ["/bin/sh", "-c", _JOIN, f"{trial}/{self._version.join}"]
            done = subprocess.run(join, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            reason = done.stderr.strip().rpartition(": ")[2] if done.returncode else ""
        except OSError as error:
            reason = str(error)
        if reason:
            raise UserError(f"sandbox.cgroup: no process of this user can be put below {parent} ({reason})")
        _remove(trial)


def groups(setting: str) -> Groups | None:
    """Return the cgroups that `sandbox.cgroup` asks for; None where there are to be none, or nothing is delegated.

    Raises:
        UserError: It names a cgroup that cannot be used.
    """
    if setting == "none":
        return None
    if setting != "auto":
        return Groups(setting)
    for parent in delegated():
        with contextlib.suppress(UserError):
            return Groups(parent)
    return None


def _own(parent: str) -> tuple[str, int]:
    """Make the folder, and return it and the descriptor that holds its lock."""
    with _locked(parent):
        for name in os.listdir(parent):
            if name.startswith(_PREFIX):
                _clear(f"{parent}/{name}")
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
        lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder, lock


def _clear(folder: str) -> None:
    """Remove a folder, unless its process lives."""
    with contextlib.suppress(OSError), _locked(folder, fcntl.LOCK_NB):
        _remove_all(folder)


@contextlib.contextmanager
def _locked(folder: str, how: int = 0) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)


def _end(folder: str, lock: int, maker: int) -> None:
    if os.getpid() == maker:  # not a process that it has forked
        _remove_all(folder)
        os.close(lock)


def _remove_all(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if entry.is_dir():
                _remove(entry.path)
    _remove(folder)


def _remove(folder: str) -> None:
    deadline = time.monotonic() + _ENDING
    while not removed(folder) and time.monotonic() < deadline:
        time.sleep(_RETRY)
