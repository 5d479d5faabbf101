"""Which server takes which request: the one with the episode's prefix, else the least loaded, and none too many.

It knows nothing of HTTP. A place is whatever stands for a server.
"""

import asyncio
import heapq
import itertools
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent_rl.clients.sglang_answers import SOURCE
from agent_rl.core.outcome import InfrastructureError

P = TypeVar("P", bound=Hashable)


@dataclass(order=True)
class _Waiting(Generic[P]):
    """A request that waits for a place; ordered by priority, then arrival."""

    priority: int
    arrival: int
    episode: str = field(compare=False)
    place: "asyncio.Future[P]" = field(compare=False)


class Balancer(Generic[P]):
    """Hands out places to requests. All methods belong to one event loop."""

    def __init__(self, recovery_seconds: float) -> None:
        """Let requests wait for at most `recovery_seconds` while no place is in service."""
        self._recovery_seconds = recovery_seconds
        self._slots: dict[P, int] = {}  # places in service, and how many requests each takes at once
        self._running: dict[P, int] = {}  # requests at each place, in service or not
        self._homes: dict[str, P] = {}  # where an episode's prefix is cached
        self._waiting: list[_Waiting[P]] = []
        self._numbers = itertools.count()
        self._held = False
        self._failure: InfrastructureError | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def places(self) -> list[P]:
        """The places in service."""
        return list(self._slots)

    @property
    def running(self) -> int:
        """Requests at places."""
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return sum(not each.place.done() for each in self._waiting)

    def arrival(self) -> int:
        """Return the next number in the order of arrival; a request keeps it when it queues again."""
        return next(self._numbers)

    def add(self, place: P, slots: int) -> None:
        """Take a place into service."""
        self._slots[place] = slots
        self._running.setdefault(place, 0)
        self._failure = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._dispatch()

    def remove(self, place: P, reason: str) -> None:
        """Take a place out of service; when it was the last, requests fail with `reason` after the time set."""
        if self._slots.pop(place, None) is None:
            return
        self._homes = {episode: home for episode, home in self._homes.items() if home != place}
        if not self._slots and self._timer is None:
            loop = asyncio.get_running_loop()
            text = f"no server in service for {self._recovery_seconds:g} s; the last one: {reason}"
            self._timer = loop.call_later(self._recovery_seconds, self.fail, text)

    def fail(self, reason: str) -> None:
        """Fail all that wait, and all that come until a place is added, unless there is a place in service."""
        if self._slots:
            return
        self._failure = InfrastructureError(SOURCE, reason)
        for each in self._waiting:
            if not each.place.done():
                each.place.set_exception(InfrastructureError(SOURCE, reason))
        self._waiting = []

    def hold(self) -> None:
        """Give no more places until `free`."""
        self._held = True

    def free(self) -> None:
        """Give places again."""
        self._held = False
        self._dispatch()

    def forget(self, episode: str) -> None:
        """Forget where an episode's prefix is."""
        self._homes.pop(episode, None)

    async def take(self, episode: str, priority: int, arrival: int) -> P:
        """Return a place once there is room at one; it must be given back.

        Raises:
            InfrastructureError: No place was in service for too long.
        """
        if self._failure is not None:
            raise InfrastructureError(SOURCE, self._failure.message)
        waiting: _Waiting[P] = _Waiting(priority, arrival, episode, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiting)
        self._dispatch()
        try:
            return await waiting.place
        except asyncio.CancelledError:
            place = waiting.place
            if place.done() and not place.cancelled() and place.exception() is None:
                self.give_back(place.result())
            raise

    def give_back(self, place: P) -> None:
        """End a request's stay at a place."""
        self._running[place] -= 1
        self._dispatch()

    def _dispatch(self) -> None:
        while self._waiting and not self._held:
            if self._waiting[0].place.done():  # cancelled
                heapq.heappop(self._waiting)
                continue
            place = self._choose(self._waiting[0].episode)
            if place is None:
                return
            waiting = heapq.heappop(self._waiting)
            self._running[place] += 1
            self._homes[waiting.episode] = place
            waiting.place.set_result(place)

    def _choose(self, episode: str) -> P | None:
        """Return the episode's place if it has room, otherwise the least loaded one that has."""
        home = self._homes.get(episode)
        if home is not None and self._running[home] < self._slots[home]:
            return home
        free = [place for place, slots in self._slots.items() if self._running[place] < slots]
        return min(free, key=self._load) if free else None

    def _load(self, place: P) -> float:
        return self._running[place] / self._slots[place]
