"""What a process holds: its descendants and its descriptors, to be compared before and after."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

_SETTLE_SECONDS = 5.0


def held() -> tuple[list[str], list[str]]:
    """Return this process's descendants and its descriptors."""
    descriptors = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)]
    return processes(os.getpid(), set()), sorted(name.split(":")[0] for name in descriptors)


def _is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def left(before: tuple[list[str], list[str]], after: tuple[list[str], list[str]]) -> list[str]:
    """Return what the second answer of `held` has and the first had not."""
    return [
        str(line) for then, now in zip(before, after, strict=True) for line in (Counter(now) - Counter(then)).items()
    ]


def processes(top: int, spared: set[int]) -> list[str]:
    """Return the descendants of a process as lines `pid state name`, without the `spared` ones and itself."""
    children: dict[int, list[tuple[int, str]]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            head, tail = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = tail.split()[:2]
        children.setdefault(int(parent), []).append(
            (int(name), f"{name} {state.replace('R', 'S')} {head.split('(')[1]}")
        )
    found, waiting = [], [top]
    while waiting:
        for pid, line in children.get(waiting.pop(), []):
            waiting.append(pid)
            found += [] if pid in spared else [line]
    return sorted(found)


async def settled(look: Callable[[], list[str]]) -> list[str]:
    """Return what is still found when everything has had time to end."""
    until = time.monotonic() + _SETTLE_SECONDS
    while (found := look()) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return found
