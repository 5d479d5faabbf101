"""All the processes of a run, seen from outside: who they are and what memory they hold."""

import os
import resource
import time

_PATIENCE = 0.02  # seconds
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


def memory_kb(pids: list[int], limit_kb: int) -> int:
    """Return the KiB of memory that processes hold together.

    What several share counts for each of them, unless that exceeds the limit: then it is counted exactly, as long as
    that does not take so long that other runs have to wait.
    """
    quick, exact = sum(_resident_kb(pid) for pid in pids), 0
    begun = time.monotonic()
    for pid in pids if quick > limit_kb else ():
        exact += _share_kb(pid)
        if exact > limit_kb or time.monotonic() - begun > _PATIENCE:
            return quick
    return exact or quick


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
