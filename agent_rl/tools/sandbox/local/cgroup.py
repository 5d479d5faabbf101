"""The cgroup of one run: the kernel bounds the memory of all its processes together, and tells who was ended for it.

Cgroups are made by the process that starts the fork servers: those do not see them, and are nobody where it is the
superuser. A run's first process puts itself in, through a descriptor that was opened here.
"""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, replace
from enum import StrEnum

from agent_rl.tools.sandbox.base import Result, Status

_RETRIES = 10  # to remove one that the kernel has not let go of yet
_MOST_BYTES = 4096  # of a file
_NEAR = 1 << 18  # bytes below the limit at which the kernel finds no more room: it takes 64 pages at a time
_FIRST_RETRY = 0.002  # seconds until the first; each later one waits twice as long


class Ended(StrEnum):
    """Whether the kernel has ended a process of a run for memory."""

    NONE = "none"
    LIMIT = "limit"  # the run had reached its limit
    MACHINE = "machine"  # none was left on the machine, or in a cgroup above


@dataclass(frozen=True)
class Version:
    """How a version of cgroups names its files.

    Attributes:
        join: A process that writes 0 to it is in.
        limit: Bytes of memory.
        swap: What keeps memory from being swapped.
        peak: The most bytes held so far.
        kills: Its line `oom_kill` counts the processes ended for memory, whoever was short of it.
        swap_is_all: Whether `swap` bounds memory and what is swapped together, not the latter alone.
    """

    join: str
    limit: str
    swap: str
    peak: str
    kills: str
    swap_is_all: bool


V1 = Version(
    "tasks",  # unlike its cgroup.procs, it lets a process that puts itself in wait for no other
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.max_usage_in_bytes",
    "memory.oom_control",
    True,
)
_PEAK_WITH_SWAP = "memory.memsw.max_usage_in_bytes"
V2 = Version("cgroup.procs", "memory.max", "memory.swap.max", "memory.peak", "memory.events", False)
_TOGETHER, _KILL = "memory.oom.group", "cgroup.kill"  # of V2 alone


class Group:
    """The cgroup of one run.

    Attributes:
        descriptors: The first tells of its dead; a process that writes 0 to the second is in, with all that it forks.
    """

    def __init__(self, folder: str, version: Version, memory_mb: int) -> None:
        """Make it, with its limit.

        Raises:
            OSError: The kernel does not allow it.
        """
        self._folder, self._version, self._memory = folder, version, memory_mb << 20
        self._last: tuple[float | None, Ended] | None = None  # what was read before it was removed
        self.descriptors: list[int] = []
        os.mkdir(folder)
        try:
            self._bound()
            for name, how in ((version.kills, os.O_RDONLY), (version.join, os.O_WRONLY)):
                self.descriptors.append(os.open(f"{folder}/{name}", how | os.O_CLOEXEC))
        except BaseException:
            self._let_go()
            removed(folder)
            raise

    def _bound(self) -> None:
        write(f"{self._folder}/{self._version.limit}", self._memory)
        more = {self._version.swap: self._memory if self._version.swap_is_all else 0}
        if self._version is V2:
            more[_TOGETHER] = 1
        for name, value in more.items():
            with contextlib.suppress(FileNotFoundError):  # this kernel does not swap
                write(f"{self._folder}/{name}", value)

    def peak_mb(self) -> float | None:
        """Return the most MiB that it has held so far; None where the kernel does not say."""
        if self._last is not None:
            return self._last[0]
        peak = _count(f"{self._folder}/{self._version.peak}")
        return peak / (1 << 20) if peak else None

    def ended(self) -> Ended:
        """Return whether one of its processes was ended for memory."""
        if self._last is not None:
            return self._last[1]
        if not _count(f"{self._folder}/{self._version.kills}", "oom_kill"):
            return Ended.NONE
        return Ended.LIMIT if self._reached() else Ended.MACHINE

    def _reached(self) -> bool:
        """Return whether the limit was in the way, which version 1 does not count on every kernel."""
        if self._version is V2:
            return _count(f"{self._folder}/{V2.kills}", "oom") > 0
        peak = _count(f"{self._folder}/{_PEAK_WITH_SWAP}") or _count(f"{self._folder}/{V1.peak}")
        return peak >= self._memory - _NEAR

    def judged(self, result: Result) -> Result:
        """Return the result of a run, by what its cgroup knows: what others were ended for does not matter."""
        result = replace(result, peak_memory_mb=self.peak_mb() or result.peak_memory_mb)
        ended = self.ended()
        if ended is Ended.LIMIT:
            return replace(result, status=Status.MEMORY_LIMIT, exit_code=None, message="", files={})
        if ended is Ended.MACHINE and result.status is Status.ERROR:
            return replace(result, status=Status.INFRASTRUCTURE, message="the machine ran out of memory meanwhile")
        return result

    def close(self) -> None:
        """Remove it as soon as the kernel lets go of it, with what still runs in it; harmless twice.

        It is called on an event loop, which tries again where the kernel has not let go yet.
        """
        if self._last is None:
            self._last = self.peak_mb(), self.ended()
            self._let_go()
            self._remove(0)

    def _let_go(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)

    def _remove(self, tries: int) -> None:
        if not removed(self._folder) and tries < _RETRIES:
            asyncio.get_running_loop().call_later(_FIRST_RETRY * 2**tries, self._remove, tries + 1)


def removed(folder: str) -> bool:
    """Remove a cgroup if the kernel lets it go; else kill what runs in it. Return whether it is gone."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        _kill(folder)
        return False
    return True


def write(path: str, value: object) -> None:
    """Write a setting of a cgroup.

    Raises:
        OSError: There is no such file, or the kernel refuses the value.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)


def _kill(folder: str) -> None:
    """Kill all that runs in a cgroup."""
    try:
        write(f"{folder}/{_KILL}", 1)
    except OSError:
        with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs") as file:
            for pid in filter(None, map(int, file.read().split())):  # 0 is one whose number is not known here
                os.kill(pid, signal.SIGKILL)


def _count(path: str, word: str = "") -> int:
    """Return the number in a line that begins with `word`, or that stands alone; 0 where there is none."""
    try:
        with open(path, "rb", buffering=0) as file:
            lines = file.read(_MOST_BYTES).splitlines()
    except OSError:
        return 0
    start = f"{word} ".encode() if word else b""
    return next((int(line[len(start) :]) for line in lines if line.startswith(start)), 0)
