"""The feed: the groups of a training run, begun and consumed in the order and at the pace of its mode.

Places count the groups of the run; a place's task, seed and name hang on nothing else. A step consumes `count` groups.
With version `v` of the weights and a staleness of `s`, at most `(v + 1 + s) * count` groups have been begun since the
run began, and a step waits for every group whose first weights are `s` versions old. So the groups that a step has to
wait for always fit into it, and nothing that is learned from is older than `s` versions.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Group
from agent_rl.rollout.agents import Beside, Plan, group_plans
from agent_rl.rollout.curriculum import Curriculum
from agent_rl.rollout.engines.base import Host, Sampling
from agent_rl.rollout.failures import Culprits
from agent_rl.rollout.flights import Flight, Flights
from agent_rl.rollout.runner import Runner
from agent_rl.rollout.settings import RolloutSettings

Progress = Callable[[int, int], None]
"""Called with the number of episodes that have ended, and of all."""


@dataclass(frozen=True)
class Order:
    """What a training run asks for.

    Attributes:
        task: The task of each place.
        count: Groups in a step.
        samples: Episodes in a group.
        sampling: How tokens are drawn.
        seed: Seeds every episode, by its place and sample.
        beside: What each group has beside its samples: a greedy episode that they are compared with, a demonstration.
        curriculum: What chooses the tasks and has to hear of their groups, where they do not come in a fixed order.
    """

    task: Callable[[int], Task]
    count: int
    samples: int
    sampling: Sampling
    seed: int
    beside: tuple[Beside, ...] = ()
    curriculum: Curriculum | None = None

    def plans(self, place: int) -> list[Plan]:
        """Return the episodes of a place."""
        step, index = divmod(place, self.count)
        seed = derive(self.seed, "rollout", step)
        plans = group_plans(str(place), self.task(place), self.samples, self.sampling, seed, index, self.beside)
        return [replace(plan, priority=place) for plan in plans]


@dataclass(frozen=True)
class Rollout:
    """What a step learns from.

    Attributes:
        groups: The groups, in the order of their places.
        dropped: Groups that taught nothing and were replaced.
        retried: How often episodes were tried again since the last step, by the source and the message of the failure.
    """

    groups: list[Group]
    dropped: list[Group]
    retried: Culprits = field(default_factory=dict)


class Feed:
    """Begins groups ahead of need and hands them over. Everything happens on one event loop."""

    def __init__(self, order: Order, runner: Runner, engine: Host, settings: RolloutSettings) -> None:
        """Begin nothing yet."""
        self._order, self._settings = order, settings
        self._flights = Flights(runner, engine, settings.concurrency, self._moved)
        self._ready: list[Flight] = []
        self._dropped: list[Flight] = []
        self._again: list[int] = []  # places that have to be begun anew
        self._next = 0  # the first place that was never begun
        self._first = 0  # the version of the weights when this process began
        self._consumed = 0
        self._changed = asyncio.Event()

    @property
    def state(self) -> dict[str, Any]:
        """What a resumed run needs: the next place, and the places that were begun and not learned from."""
        begun = [flight.place for flight in [*self._ready, *self._flights.landed, *self._flights.aloft]]
        again, curriculum = sorted([*begun, *self._again]), self._order.curriculum
        return {"next": self._next, "again": again} | ({"curriculum": curriculum.state(again)} if curriculum else {})

    def restore(self, version: int, state: dict[str, Any]) -> None:
        """Go on where a run stopped whose weights have become `version`; without a state, after as many steps."""
        self._flights.version = self._first = version
        self._next = state.get("next", version * self._order.count)
        self._again = list(state.get("again", []))
        if self._order.curriculum:
            self._order.curriculum.restore(state.get("curriculum", {}))

    def renew(self, version: int) -> None:
        """Note that the weights are `version` now, and begin what may begin with them."""
        self._flights.version = version
        if self._settings.mode == "async":
            self._begin()

    async def take(self, progress: Progress | None = None) -> Rollout:
        """Return the groups of the next step; what has not ended by the step's deadline has failed."""
        clock, seconds = asyncio.get_running_loop().time, self._settings.step_seconds
        deadline = clock() + seconds
        before = self._flights.ended
        self._begin()
        while not self._sufficient():
            self._flights.check()
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - clock())
            except TimeoutError:
                self._flights.expire(seconds)
                deadline = clock() + seconds
            self._changed.clear()
            self._begin()
            if progress:
                total = self._order.count * (self._order.samples + len(self._order.beside))
                progress(min(self._flights.ended - before, total), total)
        return await self._hand_over()

    async def close(self) -> None:
        """End everything in flight."""
        await self._flights.drop()

    async def _hand_over(self) -> Rollout:
        taken, self._ready = self._ready[: self._order.count], self._ready[self._order.count :]
        dropped, self._dropped = self._dropped, []
        self._consumed += len(taken)
        if self._order.curriculum:
            self._order.curriculum.hear((flight.place, flight.whole) for flight in [*taken, *dropped])
        if self._settings.mode == "async":
            self._begin()
        elif self._settings.leftover == "abort":
            self._again += [flight.place for flight in await self._flights.drop()]
        retried = self._flights.take_retried()
        return Rollout([flight.whole for flight in taken], [flight.whole for flight in dropped], retried)

    def _moved(self) -> None:
        """Take note of an episode that ended, and in mode `async` go on without being asked."""
        self._changed.set()
        if self._settings.mode == "async":
            self._begin()

    def _begin(self) -> None:
        """Sort what has landed, and begin as many groups as the mode allows."""
        if self._settings.mode == "sync" and self._flights.aloft:
            return  # rounds, so that what is begun does not depend on what ends first
        self._sort()
        room = self._most() - self._consumed - len(self._ready) - len(self._flights.aloft)
        places = [self._again.pop(0) if self._again else self._fresh() for _ in range(room)]
        self._flights.launch([Flight(place, self._order.plans(place)) for place in places])

    def _most(self) -> int:
        """Return how many groups may have been begun since this process began, dropped ones not counted."""
        ahead = {"sync": 1.0, "oversample": self._settings.oversample, "async": 1.0 + self._settings.staleness}
        return round((self._flights.version - self._first + ahead[self._settings.mode]) * self._order.count)

    def _fresh(self) -> int:
        self._next += 1
        return self._next - 1

    def _sort(self) -> None:
        """Sort groups that have landed, in the order of their places, into those to learn from and those to replace."""
        landed, self._flights.landed = self._flights.landed, []
        for flight in sorted(landed, key=lambda flight: flight.place):
            replaced = len(self._dropped) < self._settings.refill * self._order.count
            useless = self._settings.dynamic_sampling and replaced and not flight.whole.informative
            (self._dropped if useless else self._ready).append(flight)
        self._ready.sort(key=lambda flight: flight.place)

    def _sufficient(self) -> bool:
        """Whether a step can be made of what is ready, without anything else becoming too old."""
        if len(self._ready) < self._order.count:
            return False
        oldest = self._flights.oldest()
        return oldest is None or self._flights.version - oldest < self._settings.staleness
