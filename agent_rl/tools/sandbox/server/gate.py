"""How many programs run at once, how many wait, and the figures of both."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PREFIX = "agent_rl_sandbox"
_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # seconds


class BusyError(Exception):
    """There is no place, and none to wait at.

    Attributes:
        status: The HTTP status that says so.
        rest: Seconds after which it may be worth to ask again.
    """

    def __init__(self, status: int, message: str, rest: int) -> None:
        """Keep what is to be answered."""
        super().__init__(message)
        self.status, self.rest = status, rest


class Seconds:
    """How long something took: a histogram as Prometheus has them."""

    def __init__(self) -> None:
        """Count nothing so far."""
        self._counts = [0] * (len(_BUCKETS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[sum(seconds > bound for bound in _BUCKETS)] += 1
        self._sum += seconds

    def lines(self, name: str, text: str) -> list[str]:
        """Return its lines in Prometheus' text format."""
        lines, total = _head(name, "histogram", text), 0
        name = f"{_PREFIX}_{name}"
        for bound, count in zip((*map(str, _BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self._sum:.6f}", f"{name}_count {total}"]


class Gate:
    """Lets `concurrency` requests run, in the order in which they came; `queue` more may wait."""

    def __init__(self, concurrency: int, queue: int) -> None:
        """Let none in yet."""
        self.runs: Counter[tuple[str, str]] = Counter()
        """Runs by language and by status."""
        self.run_seconds = Seconds()
        self._concurrency, self._queue = concurrency, queue
        self._places = asyncio.Semaphore(concurrency)
        self._running = self._waiting = 0
        self._refused: Counter[int] = Counter()  # by HTTP status
        self._wait_seconds = Seconds()
        self._stopping = False

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises:
            BusyError: All places are taken and the queue is full, or the server is stopping.
        """
        begun = time.monotonic()
        if self._stopping or (self._places.locked() and self._waiting >= self._queue):
            raise self._refusal()
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        self._wait_seconds.add(time.monotonic() - begun)
        self._running += 1
        try:
            if self._stopping:
                raise self._refusal()
            yield
        finally:
            self._running -= 1
            self._places.release()

    def stop(self) -> None:
        """Refuse what comes from now on, and what waits as soon as a place is free; what runs goes on."""
        self._stopping = True

    def text(self) -> str:
        """Return the figures in Prometheus' text format."""
        lines = _head("runs_total", "counter", "Runs of programs and cells, by language and by what became of them.")
        for (language, status), count in sorted(self.runs.items()):
            lines.append(f'{_PREFIX}_runs_total{{language="{language}",status="{status}"}} {count}')
        lines += _head("refused_total", "counter", "Requests refused because all was busy or the server stopped.")
        lines += [f'{_PREFIX}_refused_total{{code="{code}"}} {count}' for code, count in sorted(self._refused.items())]
        gauges = [
            ("in_flight", "Requests that are worked on.", self._running),
            ("queued", "Requests that wait for a place.", self._waiting),
            ("concurrency", "Requests that may be worked on at once.", self._concurrency),
        ]
        for name, text, value in gauges:
            lines += [*_head(name, "gauge", text), f"{_PREFIX}_{name} {value}"]
        lines += self.run_seconds.lines("run_seconds", "Seconds of each run alone, or of compiling where that failed.")
        lines += self._wait_seconds.lines("wait_seconds", "Seconds for which a request waited for its place.")
        return "\n".join(lines) + "\n"

    def _refusal(self) -> BusyError:
        if self._stopping:
            error = BusyError(503, "the server is stopping", 5)
        else:
            error = BusyError(429, f"{self._running} programs run and {self._waiting} wait", 1)
        self._refused[error.status] += 1
        return error


def _head(name: str, kind: str, text: str) -> list[str]:
    """Return the lines that stand before the figures of a name."""
    return [f"# HELP {_PREFIX}_{name} {text}", f"# TYPE {_PREFIX}_{name} {kind}"]
