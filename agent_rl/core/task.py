"""Task: one problem with an id, its first messages and what the reward needs."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.message import Message
from agent_rl.core.seeds import derive


@dataclass(frozen=True)
class Task:
    """One problem.

    Attributes:
        id: Unique within the task set; it names the task in trajectories, groups and evaluations.
        messages: The messages the policy sees first.
        answer: What the reward compares with. Never shown to the policy.
        attributes: What evaluations break figures down by (`hops`, `difficulty`, …).
        data: Anything else the environment's reward or demonstrations need.
    """

    id: str
    messages: tuple[Message, ...]
    answer: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


class TaskSet:
    """The tasks of one split, in a fixed order, indexed by position and by id."""

    def __init__(self, tasks: Sequence[Task], split: str) -> None:
        """Index `tasks`; raise `UserError` when two share an id or there are none."""
        if not tasks:
            raise UserError(f"split '{split}' has no tasks")
        self.split = split
        self._tasks = list(tasks)
        self._by_id = {task.id: task for task in self._tasks}
        if len(self._by_id) != len(self._tasks):
            raise UserError(f"split '{split}' has {len(self._tasks) - len(self._by_id)} repeated task ids")

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        """Iterate in the fixed order."""
        return iter(self._tasks)

    def __getitem__(self, key: int | str) -> Task:
        """Return the task at a position or with an id."""
        if isinstance(key, int):
            return self._tasks[key]
        if key not in self._by_id:
            raise UserError(f"split '{self.split}' has no task '{key}'{nearest(key, self._by_id)}")
        return self._by_id[key]

    def order(self, seed: int, epoch: int) -> Sequence[int]:
        """Return the positions of an epoch's tasks in the order in which a run meets them, as many as there are tasks.

        They hang on the seed and the epoch alone, so that a resumed run meets the tasks it would have met.
        """
        return shuffled(len(self), derive(seed, "epoch", epoch))

    def at(self, place: int, seed: int) -> Task:
        """Return the task at a place (from 0) of a run: one epoch after the other, each in its own order."""
        epoch, position = divmod(place, len(self))
        return self[self.order(seed, epoch)[position]]


@functools.lru_cache(maxsize=16)
def shuffled(count: int, seed: int) -> Sequence[int]:
    """Return the numbers from 0 to `count` - 1 in a random order that hangs on `seed` alone."""
    order = list(range(count))
    Random(seed).shuffle(order)
    return order
