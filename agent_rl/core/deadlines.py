"""Deadlines that hold whatever the work does, and a record of what is being waited for."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
_LONGEST_WAIT = 3600.0  # seconds for a place in one episode that are excused; nothing waits for ever
_COARSE = 0.1  # seconds: how closely a deadline is looked at again that was moved


class Overdue(TimeoutError):
    """A deadline of `within` has passed. A `TimeoutError` that is none was raised by the work itself."""


async def within(seconds: float, work: Awaitable[T], paused: Callable[[], float] = lambda: 0.0) -> T:
    """Await `work` for at most `seconds`.

    Work that does not end when it is cancelled is left to itself: the deadline holds all the same.

    Args:
        seconds: The deadline.
        work: What to await. It runs as a task of its own, which is cancelled when the caller is.
        paused: Seconds that do not count so far; what it grows by while the work goes on moves the deadline.

    Raises:
        Overdue: The deadline has passed.
        RuntimeError: The work cancelled itself or wanted to end the program. Either would otherwise end what waits.
    """
    task = asyncio.ensure_future(work)
    seen, allowed = paused(), seconds
    try:
        while not await _ended(task, allowed):
            extra, seen = paused() - seen, paused()
            if extra <= 0:
                raise Overdue
            allowed = max(extra, min(seconds, _COARSE))
        return _result(task)
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


def _result(task: asyncio.Future[T]) -> T:
    if task.cancelled():
        raise RuntimeError("it cancelled itself")
    error = task.exception()
    if isinstance(error, SystemExit):
        raise RuntimeError(f"it wanted to end the program with status {error.code}") from error
    return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    """Take note of the outcome of abandoned work, so that nobody complains that nobody did."""
    if not task.cancelled():
        task.exception()


@dataclass(eq=False)
class _Wait:
    what: str
    since: float
    around: "_Wait | None"


class Excuse:
    """Counts the seconds that deadlines of an episode leave out: pauses of the engine, and waits for a place.

    The place is one at the engine, or at a tool of which only so many calls may go on at once. Waits on the loop of the
    process's services, at a judge say, count as those of the episode's own loop: both go by one clock.
    """

    def __init__(self, paused: Callable[[], float] = lambda: 0.0) -> None:
        """Count the seconds that `paused` counts, and waits for a place."""
        self._paused = paused
        self._waited = 0.0
        self._since: tuple[float, float] | None = None
        self._queues = 0
        self._changing = threading.Lock()
        self._forgiven = 0.0

    def queue(self) -> None:
        """A request waits for a place at the engine from now on."""
        self._since = (asyncio.get_running_loop().time(), self._paused())

    def place(self) -> None:
        """It has got one, or does not wait any more; harmless when it did not wait."""
        self._waited, self._since = self._waited + self._waiting(), None

    @contextmanager
    def queueing(self) -> Iterator[None]:
        """Wait for a place while the block runs; of several blocks at once the time counts once."""
        with self._changing:
            self._queues += 1
            if self._queues == 1:
                self.queue()
        try:
            yield
        finally:
            with self._changing:
                self._queues -= 1
                if not self._queues:
                    self.place()

    def forgive(self, since: float) -> None:
        """Leave out the time since `since` (the loop's clock), lost to what is tried again; once where it overlaps."""
        now = asyncio.get_running_loop().time()
        self._waited += now - max(since, self._forgiven)
        self._forgiven = now

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self._paused() + min(self._waited + self._waiting(), _LONGEST_WAIT)

    def _waiting(self) -> float:
        """Return the seconds of the wait that is going on, without those of pauses in it."""
        since = self._since
        if since is None:
            return 0.0
        begun, paused = since
        return max(0.0, asyncio.get_running_loop().time() - begun - (self._paused() - paused))


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
