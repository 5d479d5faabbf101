"""An event loop whose clock jumps to the next timer: hours of waiting in moments, for tests and simulations."""

import asyncio
import selectors
from typing import Any


class _Jumping(selectors.DefaultSelector):
    """Never waits for a timer: the time it would have waited is added to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is ready now; without anything, jump ahead by `timeout` seconds, or wait if it is None."""
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs coroutines in simulated time. Work in other threads is not waited for: keep everything on this loop."""

    def __init__(self) -> None:
        """Begin at time 0."""
        self._clock = _Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._clock.now
