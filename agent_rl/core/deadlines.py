"""Deadlines that hold whatever the work does, and a record of what is being waited for."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T], paused: Callable[[], float] = lambda: 0.0) -> T:
    """Await `work` for at most `seconds`.

    Work that does not end when it is cancelled is left to itself: the deadline holds all the same.

    Args:
        seconds: The deadline.
        work: What to await. It runs as a task of its own, which is cancelled when the caller is.
        paused: Seconds that do not count so far; what it grows by while the work goes on moves the deadline.

    Raises:
        TimeoutError: The deadline has passed.
    """
    task = asyncio.ensure_future(work)
    seen, allowed = paused(), seconds
    try:
        while not await _ended(task, allowed):
            allowed, seen = paused() - seen, paused()
            if allowed <= 0:
                raise TimeoutError
        return task.result()
    finally:
        if task.done():  # it may have failed in the very moment in which the caller was cancelled
            _forget(task)
        else:
            task.cancel()
            task.add_done_callback(_forget)


async def _ended(task: asyncio.Future[Any], seconds: float) -> bool:
    """Wait until `task` has ended, for at most `seconds`: `asyncio.wait` for one, at half of the price."""
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake(_: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    timer = loop.call_later(seconds, wake)
    task.add_done_callback(wake)
    try:
        await woken
    finally:
        timer.cancel()
        task.remove_done_callback(wake)
    return task.done()


def _forget(task: asyncio.Future[Any]) -> None:
    """Take note of the outcome of abandoned work, so that nobody complains that nobody did."""
    if not task.cancelled():
        task.exception()


@dataclass(eq=False)
class _Wait:
    what: str
    since: float
    around: "_Wait | None"


class Waits:
    """What one episode is waiting for at this moment, several things at once when tools run side by side."""

    def __init__(self) -> None:
        """Wait for nothing."""
        self._open: list[_Wait] = []

    def innermost(self) -> list[tuple[str, float]]:
        """Return what is waited for and since when (the loop's clock); of waits within waits the inner ones."""
        outer = [wait.around for wait in self._open]
        return [(wait.what, wait.since) for wait in self._open if wait not in outer]


_current: contextvars.ContextVar[tuple[Waits, _Wait | None] | None] = contextvars.ContextVar("waits", default=None)


def record_waits(waits: Waits) -> None:
    """Let `waiting_for` in this task, and in the tasks it starts, write into `waits`."""
    _current.set((waits, None))


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Note that the episode waits for `what` while the block runs; outside an episode nothing is noted."""
    current = _current.get()
    if current is None:
        yield
        return
    waits, around = current
    wait = _Wait(what, asyncio.get_running_loop().time(), around)
    waits._open.append(wait)
    token = _current.set((waits, wait))
    try:
        yield
    finally:
        _current.reset(token)
        waits._open.remove(wait)
