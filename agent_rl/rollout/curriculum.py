"""The curriculum: which task comes next, by how much is to be learned from it.

    learnability of a group = (share of its usable episodes that succeed) * (share that fail)
    of a task, or of tasks with the same attribute: the mean over its groups, older steps decayed

A task is drawn in proportion to its learnability, which is largest where every other episode succeeds and 0 where all
do the same. What nothing is known of yet comes as in the shuffled order, and so does a share of all, so that nothing is
written off for good. Sampling for learnability: Foster et al. 2025, Learning to Reason at the Frontier of Learnability,
arXiv:2502.12272; it measures every candidate beforehand, here the figures come from what is trained on.
"""

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any, Literal

from pydantic import Field, model_validator

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet, shuffled
from agent_rl.core.trajectory import Group

_KNOWN = 0.5  # of a group: what has decayed below that is unknown again


class CurriculumSettings(Settings):
    """The order in which a training run meets its tasks."""

    order: Literal["shuffled", "learnable"] = "shuffled"
    """`shuffled` goes through all tasks, epoch by epoch; `learnable` prefers those that succeed every other time."""
    by: str | None = None
    """The task attribute, such as `difficulty`, by whose values tasks are measured; null: each task by itself, which
    needs some epochs to tell."""
    explore: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of the tasks that come as in the shuffled order all the same."""
    decay: float = Field(default=0.95, gt=0.0, le=1.0)
    """What a figure weighs after each step, compared with that of the step."""

    @model_validator(mode="after")
    def _read(self) -> "CurriculumSettings":
        """Refuse settings that the shuffled order does not read."""
        for name in ("by", "explore", "decay"):
            if self.order == "shuffled" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect with order=shuffled")
        return self


class Curriculum:
    """Chooses the task of each place of a run, and hears how its episodes went.

    What is chosen hangs on the seed, the place, the figures and what is in flight. In a mixture every place keeps the
    member that the mixture's weights give it. Tasks in flight are not begun again as long as there are others.
    """

    def __init__(self, tasks: TaskSet, settings: CurriculumSettings, seed: int, success_at: float) -> None:
        """Begin without figures; an episode succeeds from the reward `success_at` on."""
        self._tasks, self._settings, self._seed, self._success_at = tasks, settings, seed, success_at
        self._members: dict[str, list[str]] = {}  # the ids of each kind's tasks, in the order of the task set
        for task in tasks:
            self._members.setdefault(self._kind(task), []).append(task.id)
        self._figures: dict[str, tuple[float, float]] = {}  # of each known kind: the weight of its groups, their sum
        self._known: dict[str, dict[str, float]] = {}  # what `_useful` returns, until the figures change
        self._drawn: Counter[str] = Counter()  # how often a task of a kind has been begun
        self._flying: dict[int, str] = {}  # the task of each place that has been begun and not been heard of

    def task(self, place: int) -> Task:
        """Return the task of a place; the same one until it has been heard of."""
        if place not in self._flying:
            self._flying[place] = self._next(self._choose(place))
        return self._tasks[self._flying[place]]

    def hear(self, landed: Iterable[tuple[int, Group]]) -> None:
        """Take the groups of a step, each with its place."""
        decay = self._settings.decay
        faded = {kind: (decay * weight, decay * total) for kind, (weight, total) in self._figures.items()}
        self._figures = {kind: figure for kind, figure in faded.items() if figure[0] >= _KNOWN}
        for place, group in landed:
            kind = self._kind(self._tasks[self._flying.pop(place)])
            rewards = group.rewards
            if rewards:
                share = sum(reward >= self._success_at for reward in rewards) / len(rewards)
                weight, total = self._figures.get(kind, (0.0, 0.0))
                self._figures[kind] = weight + 1, total + share * (1 - share)
        self._known = {}

    def state(self, unheard: Iterable[int]) -> dict[str, Any]:
        """Return what a resumed run needs, which will begin the places `unheard` anew."""
        flying = {str(place): self._flying[place] for place in unheard if place in self._flying}
        return {"figures": self._figures, "drawn": dict(self._drawn), "flying": flying}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was returned; from nothing without one."""
        self._figures = {kind: (weight, total) for kind, (weight, total) in state.get("figures", {}).items()}
        self._known = {}
        self._drawn = Counter(state.get("drawn", {}))
        self._flying = {int(place): task for place, task in state.get("flying", {}).items()}

    def learnability(self, kind: str) -> float | None:
        """Return the figure of a kind, from 0 to 1/4; None where nothing is known."""
        weight, total = self._figures.get(kind, (0.0, 0.0))
        return total / weight if weight else None

    def _kind(self, task: Task) -> str:
        """Return what a task is measured with, below its member of a mixture."""
        by = self._settings.by
        return f"{_member(task)}/{task.id if by is None else task.attributes.get(by)}"

    def _choose(self, place: int) -> str:
        usual = self._tasks.at(place, self._seed)
        kind = self._kind(usual)
        random = Random(derive(self._seed, "curriculum", place))
        explores, flying = random.random() < self._settings.explore, set(self._flying.values())
        if (explores or kind not in self._figures) and not self._all_fly(kind, flying):
            return kind
        useful = self._useful(_member(usual))
        begun = {self._kind(self._tasks[task]) for task in flying}
        weights = useful | {one: 0.0 for one in begun if one in useful and self._all_fly(one, flying)}
        return random.choices(list(weights), list(weights.values()))[0] if any(weights.values()) else kind

    def _useful(self, member: str) -> dict[str, float]:
        """Return the kinds of a member of which something is to be learned, in the order of the tasks, and how much."""
        if member not in self._known:
            kinds = [kind for kind in self._members if kind.startswith(f"{member}/")]
            self._known[member] = {kind: figure for kind in kinds if (figure := self.learnability(kind))}
        return self._known[member]

    def _all_fly(self, kind: str, flying: set[str]) -> bool:
        return all(task in flying for task in self._members[kind])

    def _next(self, kind: str) -> str:
        """Return the next task of a kind, whose tasks come one after the other, each time round in another order."""
        members, flying = self._members[kind], set(self._flying.values())
        for _ in members:
            round_, at = divmod(self._drawn[kind], len(members))
            self._drawn[kind] += 1
            found = members[shuffled(len(members), derive(self._seed, "curriculum", kind, round_))[at]]
            if found not in flying:
                break
        return found


def _member(task: Task) -> str:
    return str(task.attributes.get("env", ""))


def make_curriculum(tasks: TaskSet, settings: CurriculumSettings, seed: int, success_at: float) -> Curriculum | None:
    """Return what chooses the tasks; None where they come in the shuffled order.

    Raises:
        UserError: No task has the attribute that they are to be measured by.
    """
    if settings.order == "shuffled":
        return None
    names = {name for task in tasks for name in task.attributes}
    if settings.by is not None and settings.by not in names:
        said = f"rollout.curriculum.by={settings.by}: no task has that attribute"
        raise UserError(f"{said}{nearest(settings.by, names)} (there are: {', '.join(sorted(names)) or 'none'})")
    return Curriculum(tasks, settings, seed, success_at)
