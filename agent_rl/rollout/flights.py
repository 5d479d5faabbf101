"""Groups in flight: begun, not yet whole."""

import asyncio
import functools
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent_rl.core import scopes
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import Failure, InfrastructureError, told
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.rollout.agents import Plan
from agent_rl.rollout.engines.base import Host
from agent_rl.rollout.runner import Runner

Landed = Callable[[Group], None]
"""Called with a group whose episodes have all ended."""


@dataclass(eq=False)
class Flight:
    """The episodes of one group.

    Attributes:
        place: Where the group's task lies in the order of tasks.
        plans: The episodes.
        born: The version of the weights when its episodes began; none of its tokens is older. None in the queue.
        group: Its trajectories, once all episodes have ended.
        tasks: The episodes while they play.
        overdue: What the episodes that were cut off failed of.
        left: Episodes that have not ended.
    """

    place: int
    plans: list[Plan]
    born: int | None = None
    group: Group | None = None
    tasks: list[asyncio.Task[list[Trajectory]]] = field(default_factory=list)
    overdue: Failure | None = None
    left: int = 0

    @property
    def whole(self) -> Group:
        """The group of a flight that has landed."""
        assert self.group is not None, "the flight has not landed"
        return self.group

    def land(self) -> None:
        """Put the group together; episodes that were cut off by the step's deadline have failed."""
        self.group = Group(self.plans[0].task.id, [])
        for plan, task in zip(self.plans, self.tasks, strict=True):
            group = self.group
            parts = {"sample": group.trajectories, "baseline": group.baseline, "demonstration": group.demonstration}
            parts[plan.kind].extend(self._result(plan, task))
        self.tasks = []

    def _result(self, plan: Plan, task: asyncio.Task[list[Trajectory]]) -> list[Trajectory]:
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return task.result()
        failure = self.overdue or InfrastructureError("rollout", told(error) if error else "it was cut off").failure()
        return [Trajectory(plan.task.id, plan.sample, attributes=dict(plan.task.attributes), failure=failure)]


class Flights:
    """The groups in flight on one runner: at most so many episodes at once, the others in a queue."""

    def __init__(self, runner: Runner, engine: Host, concurrency: int, moved: Callable[[], None]) -> None:
        """Call `moved` whenever an episode has ended."""
        self.landed: list[Flight] = []
        self.ended = 0  # episodes, ever
        self.version = 0  # of the weights
        self._retried: Counter[tuple[str, str]] = Counter()
        self._runner, self._engine, self._concurrency, self._moved = runner, engine, concurrency, moved
        self._queue: deque[Flight] = deque()
        self._flying: list[Flight] = []
        self._load = 0
        self._hopeless: UserError | None = None

    @property
    def aloft(self) -> list[Flight]:
        """The flights that have not landed, queued ones included."""
        return [*self._flying, *self._queue]

    def launch(self, flights: Sequence[Flight]) -> None:
        """Announce the episodes of all `flights` to the engine, and begin them in order as there is room."""
        for flight in flights:
            for plan in flight.plans:
                if plan.kind != "demonstration":  # which asks nothing of the engine
                    self._engine.open(plan.name)
        self._queue += flights
        self._fill()

    def check(self) -> None:
        """Raise what an episode raised that no other can do better: a `UserError`, such as a wrong key."""
        if self._hopeless is not None:
            raise self._hopeless

    def take_retried(self) -> Counter[tuple[str, str]]:
        """Return, by source and message, the failures after which episodes were tried again since the last time."""
        retried = self._retried.copy()
        self._retried.clear()  # what is in flight counts in it
        return retried

    def expire(self, seconds: float) -> None:
        """Cut off everything that has not landed `seconds` after its step began."""
        waits = {episode.waiting for episode in self._runner.playing.values()}
        message = f"the step's deadline of {seconds:g} s passed; waiting for {', '.join(sorted(waits)) or 'a turn'}"
        for flight in self.aloft:
            flight.overdue = InfrastructureError("step", message).failure()
        while self._queue:
            self._start(self._queue.popleft())
        for flight in self._flying:
            for task in flight.tasks:
                task.cancel()

    async def drop(self) -> list[Flight]:
        """End everything without a result, wait until it has ended, and return what it was."""
        dropped = self.aloft
        tasks = [task for flight in self._flying for task in flight.tasks]
        self._flying, self._load = [], 0
        self._queue.clear()
        for task in tasks:
            if not task.cancelling():  # an interrupt has cancelled it already; twice would break its clean-up
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for flight in dropped:
            self._close(flight)
        return dropped

    def _fill(self) -> None:
        while self._queue and (not self._load or self._load + len(self._queue[0].plans) <= self._concurrency):
            self._start(self._queue.popleft())

    def oldest(self) -> int | None:
        """Return the version under which the oldest flight began that is in the air."""
        return min((flight.born for flight in self._flying if flight.born is not None), default=None)

    def _start(self, flight: Flight) -> None:
        flight.born = self.version
        self._flying.append(flight)
        self._load += len(flight.plans)
        for plan in flight.plans:
            task = asyncio.create_task(self._runner.play(plan, self._retried))
            task.add_done_callback(functools.partial(self._ended, flight))
            flight.tasks.append(task)
        flight.left = len(flight.tasks)

    def _ended(self, flight: Flight, task: asyncio.Task[list[Trajectory]]) -> None:
        if flight not in self._flying:  # it was dropped
            return
        error = None if task.cancelled() else task.exception()
        if isinstance(error, UserError):
            self._hopeless = error
        self._load -= 1
        self.ended += 1
        flight.left -= 1
        if not flight.left:
            self._flying.remove(flight)
            self._close(flight)
            flight.land()
            self.landed.append(flight)
        self._fill()
        self._moved()

    def _close(self, flight: Flight) -> None:
        """Let the engine forget episodes that were cancelled before they began, and end what the group shares."""
        scopes.end_soon(flight.plans[0].group)
        for plan in flight.plans:
            self._engine.close(plan.name)
