"""A gate: lets calls of one tool begin, first come first served, so that its limits hold."""

import heapq
import math
from collections.abc import Callable, Hashable, Sequence

ARRIVAL = 0.5
"""Seconds within which a call that was let in has begun at the service; one that has ended has begun before."""


class Window:
    """At most `most` beginnings in any stretch of `seconds`, as the service sees it.

    The service sees a call somewhat later than it was let in, by an unknown part of a second. So a beginning is taken
    to lie at the end of its call, or `ARRIVAL` after it was let in if that is sooner: whenever before that the service
    saw it, the call that takes its turn comes `seconds` later or more, and so none is ever one too many.
    """

    def __init__(self, most: int, seconds: float) -> None:
        """Begin with nothing."""
        self._most, self._seconds = most, seconds
        self._until: dict[Hashable, float] = {}
        self._order: list[tuple[float, int, Hashable]] = []
        self._count = 0

    def free_at(self, now: float) -> float:
        """Return when the next call may begin: `now`, or the earliest moment that is known so far."""
        while self._order and self._order[0][0] <= now:
            until, _, call = heapq.heappop(self._order)
            if self._until.get(call) == until:  # else it has ended since, and was noted anew
                del self._until[call]
        return now if len(self._until) < self._most else self._order[0][0]

    def begin(self, call: Hashable, now: float) -> None:
        """Take note of a beginning."""
        self._note(call, now + ARRIVAL + self._seconds)

    def finish(self, call: Hashable, now: float) -> None:
        """Take note of an end."""
        if now + self._seconds < self._until.get(call, -math.inf):
            self._note(call, now + self._seconds)

    def _note(self, call: Hashable, until: float) -> None:
        self._count += 1
        self._until[call] = until
        heapq.heappush(self._order, (until, self._count, call))


class Gate:
    """The calls of one tool: those that wait, in the order in which they came, and those that go on."""

    def __init__(self, concurrency: int | None, rates: Sequence[tuple[int, float]]) -> None:
        """Let at most `concurrency` calls go on at once, and begin as each of `rates` (calls, seconds) allows."""
        self._concurrency = math.inf if concurrency is None else concurrency
        self._windows = [Window(most, seconds) for most, seconds in rates]
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._inside: set[Hashable] = set()

    def enter(self, call: Hashable, enter: Callable[[], None]) -> None:
        """Let `call` wait; `enter` is called by `advance` when it may begin."""
        self._waiting[call] = enter

    def withdraw(self, call: Hashable) -> None:
        """Let `call` wait no more; one that goes on does so."""
        self._waiting.pop(call, None)

    def leave(self, call: Hashable, now: float) -> None:
        """Take note that `call` has ended, or does not wait any more; harmless twice."""
        self.withdraw(call)
        if call in self._inside:
            self._inside.discard(call)
            for window in self._windows:
                window.finish(call, now)

    def advance(self, now: float) -> float:
        """Let in who may; return when to look again, `inf` if only an end can let another one in."""
        while self._waiting and len(self._inside) < self._concurrency:
            free = max((window.free_at(now) for window in self._windows), default=now)
            if free > now:
                return free
            call, enter = next(iter(self._waiting.items()))
            del self._waiting[call]
            self._inside.add(call)
            for window in self._windows:
                window.begin(call, now)
            enter()
        return math.inf
