"""Mixture: several environments as one, whose tasks come by weights."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

import gymnasium
from pydantic import BaseModel, Field, PositiveFloat, create_model, field_validator

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.message import Message
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet, shuffled
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import AgentEnv, CommonSettings, Demonstration, Finding, ResetResult, StepResult


class MixtureSettings(Settings):
    """Settings of a mixture, beside those of each member, which stand below the member's name."""

    weights: list[PositiveFloat] = Field(default=[])
    """How often each member's tasks come, relative to each other, in the order of the members; [] for equally often."""


class MixtureCommon(CommonSettings):
    """What every mixture can be told."""

    @field_validator("tasks")
    @classmethod
    def _of_members(cls, tasks: str | None) -> str | None:
        if tasks is not None:
            raise ValueError("a mixture has the tasks of its members: give env.MEMBER.tasks")
        return tasks


class MixedTaskSet(TaskSet):
    """The tasks of all members of a mixture. In every stretch of them each member has about its share.

    Iterated over, and so evaluated, each member's tasks come in their own order and once; a member that has no more
    leaves its share to the others. A run meets them in `order`.
    """

    def __init__(self, members: Sequence[TaskSet], weights: Sequence[float], tasks: Sequence[Sequence[Task]]) -> None:
        """Index the `tasks` of `members`, as they are in the mixture; one weight each."""
        self._sizes, self._weights = [len(member) for member in members], list(weights)
        left = [iter(part) for part in tasks]
        merged = [next(left[member]) for member in _turns(self._weights, self._sizes)]
        super().__init__(merged, members[0].split)
        places = {task.id: place for place, task in enumerate(merged)}
        self._places = [[places[task.id] for task in part] for part in tasks]
        self._ordered = functools.lru_cache(maxsize=4)(self._draw)

    def order(self, seed: int, epoch: int) -> Sequence[int]:
        """Return the positions of an epoch's tasks, which has as many places as there are tasks.

        Each member comes as often as its weight says: one may come round several times in an epoch, each time in a new
        order, and another not in full.
        """
        return self._ordered(seed, epoch)

    def _draw(self, seed: int, epoch: int) -> Sequence[int]:
        drawn = [0] * len(self._sizes)
        order = []
        for _, member in zip(range(len(self)), _turns(self._weights), strict=False):
            size = self._sizes[member]
            round_, place = divmod(drawn[member], size)
            order.append(self._places[member][shuffled(size, derive(seed, "epoch", epoch, member, round_))[place]])
            drawn[member] += 1
        return order


class Mixture(AgentEnv):
    """Several environments as one: each episode is one of a member's. Its class is made by `mixture_of`.

    A task's id is the member's name, a slash and the task's id there; its attribute `env` is the member's name, by
    which success and reward are broken down.
    """

    Settings = MixtureSettings
    settings: MixtureSettings
    Common = MixtureCommon
    members: ClassVar[dict[str, type[AgentEnv]]] = {}

    def __init__(self, **settings: Any) -> None:
        """Validate `settings`, those of the members too; a member is made when a task of its is played."""
        super().__init__(**settings)
        self._envs: dict[str, AgentEnv] = {}
        self._chosen = ""

    def member(self, label: str) -> AgentEnv:
        """Return the member of this name; the same one at every call."""
        if label not in self._envs:
            if label not in self.members:
                raise UserError(f"the mixture has no member '{label}'{nearest(label, self.members)}")
            told = getattr(self.settings, label).model_dump(exclude_unset=True)
            self._envs[label] = self.members[label](**told)
        return self._envs[label]

    def tasks(self, split: str) -> TaskSet:
        """Return the tasks of every member, which all must have the split."""
        sets = {label: self.member(label).task_set(split) for label in self.members}
        mixed = [[_mixed(label, task) for task in tasks] for label, tasks in sets.items()]
        return MixedTaskSet(list(sets.values()), self._weights(), mixed)

    def solution(self, task: Task) -> Iterable[Message]:
        """Return the member's solution."""
        label, own = _unmixed(task)
        return self.member(label).solution(own)

    def best_reward(self, task: Task) -> float:
        """Return what the member calls the best."""
        label, own = _unmixed(task)
        return self.member(label).best_reward(own)

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a demonstration by a member, drawn by weight."""
        return self.member(rng.choices(list(self.members), self._weights())[0]).demonstrate(rng)

    def check(self) -> Iterator[Finding]:
        """Yield what the members' own checks find."""
        for label in self.members:
            for finding in self.member(label).check():
                yield replace(finding, name=f"{label}: {finding.name}")

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode of the member whose task it is."""
        gymnasium.Env.reset(self, seed=seed)
        task = self.pick(options)
        self._chosen, own = _unmixed(task)
        member = await in_thread(lambda: self.member(self._chosen))  # to make it may take its time
        messages, info = await member.areset(seed=seed, options={"task": own})
        return messages, info | {"task_id": task.id}

    async def astep(self, action: Message) -> StepResult:
        """Hand the action to the member."""
        return await self.member(self._chosen).astep(action)

    def close(self) -> None:
        """Close the members that were made."""
        with ExitStack() as stack:  # where one raises, the others are closed all the same
            for env in self._envs.values():
                stack.callback(env.close)

    def _weights(self) -> list[float]:
        return list(self.settings.weights) or [1.0] * len(self.members)


def mixture_of(members: dict[str, type[AgentEnv]]) -> type[Mixture]:
    """Return the class of the mixture of `members`, by the names that their settings and tasks have in it.

    Raises:
        UserError: A member's name is that of a setting.
    """

    class Declared(MixtureSettings):
        @field_validator("weights")
        @classmethod
        def _one_each(cls, weights: list[float]) -> list[float]:
            if weights and len(weights) != len(members):
                raise ValueError(f"there are {len(members)} members ({', '.join(members)}), give one weight each")
            return weights

    for label in members:
        if label in MixtureSettings.model_fields or label in AgentEnv.Common.model_fields:
            raise UserError(f"a member of a mixture cannot be called '{label}': that is a setting")
    sections: dict[str, Any] = {label: _section(cls.settings_class()) for label, cls in members.items()}
    settings = create_model("MixtureSettings", __base__=Declared, **sections)
    return type("Mixture", (Mixture,), {"Settings": settings, "members": dict(members), "__doc__": Mixture.__doc__})


def _section(kind: type[BaseModel]) -> tuple[type[BaseModel], Any]:
    """Return a member's field: it must be given where the member has settings without a default."""
    required = any(field.is_required() for field in kind.model_fields.values())
    return kind, ... if required else kind()


def _mixed(label: str, task: Task) -> Task:
    return replace(task, id=f"{label}/{task.id}", attributes=task.attributes | {"env": label})


def _unmixed(task: Task) -> tuple[str, Task]:
    """Return the member's name and the task as the member knows it."""
    label, _, own = task.id.partition("/")
    return label, replace(task, id=own, attributes={k: v for k, v in task.attributes.items() if k != "env"})


def _turns(weights: Sequence[float], sizes: Sequence[int] | None = None) -> Iterator[int]:
    """Yield whose turn it is: each has had about its share at any time.

    With `sizes` none has more turns than its size; without, there is no end.
    """
    credit = [0.0] * len(weights)
    left = list(sizes) if sizes is not None else [-1] * len(weights)
    while any(left):
        active = [i for i, more in enumerate(left) if more]
        for i in active:
            credit[i] += weights[i]
        chosen = max(active, key=lambda i: (credit[i], -i))
        credit[chosen] -= sum(weights[i] for i in active)
        left[chosen] -= 1
        yield chosen
