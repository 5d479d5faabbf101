"""All the processes of a run, seen from outside: who they are and what memory they hold."""

import os
import resource
from collections.abc import Iterable

_PAGE_KB = resource.getpagesize() // 1024


def descendants(pid: int) -> list[int]:
    """Return the processes that `pid` and its descendants have forked and that are still there."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = _children(waiting.pop())
        found += children
        waiting += children
    return found


def stopped(pid: int) -> bool:
    """Return whether a process stands still, or has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"Z", b"X")
    except OSError:
        return True


def resident_kb(pids: Iterable[int]) -> int:
    """Return the KiB of memory that processes hold, where what several share counts for each: a quick upper bound."""
    return sum(_resident_kb(pid) for pid in pids)


def exact_kb(pids: Iterable[int]) -> int:
    """Return the KiB of memory that processes hold together; slow, up to 50 ms for each of them."""
    return sum(_share_kb(pid) for pid in pids)


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children += map(int, file.read().split())
    except OSError:  # it has ended meanwhile
        pass
    return children


def _resident_kb(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_KB
    except OSError:
        return 0


def _share_kb(pid: int) -> int:
    """Return a process's memory, of what is shared only its share."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"Pss:")), 0)
    except OSError:
        return 0
