"""The results of an evaluation: means over tasks with their intervals, of all tasks and by what they are."""

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_rl.core.errors import UserError
from agent_rl.core.files import read_json
from agent_rl.core.trajectory import Group
from agent_rl.evaluation.figures import Prices, figures, share, zero
from agent_rl.evaluation.statistics import Estimate, estimates, pass_at_k, pass_hat_k

VALUES = 12
"""Most values of an attribute of tasks by which figures are broken down."""
Estimates = dict[str, Estimate]


@dataclass(frozen=True)
class Subject:
    """What was measured, and how.

    Attributes:
        env: The environment's name.
        model: What the user calls the model.
        split: The split of the tasks.
        n: Episodes per task.
        temperature: How tokens were drawn.
        seed: Seeds the sampling.
        success_at: Reward from which an episode counts as a success.
    """

    env: str
    model: str
    split: str
    n: int
    temperature: float
    seed: int
    success_at: float


@dataclass(frozen=True)
class Results:
    """What an evaluation found. The unit of every figure is the task; a failure that is not the policy's is in none.

    Attributes:
        subject: What was measured, and how.
        tasks: Tasks that were played.
        episodes: Usable episodes.
        failures: Episodes that something other than the policy failed.
        failures_by_cause: Their number by cause and source: `infrastructure/engine`.
        metrics: The figures of all tasks.
        by: The same for each value of each attribute with at most `VALUES` values, `{"hops": {"1": {…}, …}}`.
    """

    subject: Subject
    tasks: int
    episodes: int
    failures: int
    failures_by_cause: dict[str, int]
    metrics: Estimates
    by: dict[str, dict[str, Estimates]]

    def mean(self, name: str) -> float:
        """Return the mean of a metric; nan where no task has one."""
        return self.metrics[name].mean if name in self.metrics else math.nan

    def to_json(self) -> dict[str, Any]:
        """Return the content of `results.json`; `from_json` restores it."""
        return vars(self.subject) | {
            "tasks": self.tasks,
            "episodes": self.episodes,
            "failures": self.failures,
            "failures_by_cause": self.failures_by_cause,
            "metrics": _plain(self.metrics),
            "by": {name: {v: _plain(found) for v, found in values.items()} for name, values in self.by.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Results":
        """Restore what `to_json` returned."""
        return cls(
            Subject(**{field.name: data[field.name] for field in dataclasses.fields(Subject)}),
            data["tasks"],
            data["episodes"],
            data["failures"],
            data["failures_by_cause"],
            _estimates(data["metrics"]),
            {name: {v: _estimates(found) for v, found in values.items()} for name, values in data["by"].items()},
        )


def read_results(folder: Path) -> Results:
    """Return the results of the evaluation in a folder.

    Raises:
        UserError: There are none.
    """
    data = read_json(folder / "results.json")
    if "metrics" not in data:
        raise UserError(f"{folder} holds no results of an evaluation")
    return Results.from_json(data)


def summarize(groups: Sequence[Group], subject: Subject, prices: Prices | None = None) -> Results:
    """Return the results of finished episodes, a group a task."""
    failures = [episode[-1].failure for group in groups for episode in group.episodes if not episode[-1].usable]
    causes = Counter(f"{failure.cause}/{failure.source}" for failure in failures if failure is not None)
    names, values = _table(groups, subject, prices)
    return Results(
        subject=subject,
        tasks=len(groups),
        episodes=sum(len(group.usable) for group in groups),
        failures=sum(len(group.episodes) - len(group.usable) for group in groups),
        failures_by_cause=dict(sorted(causes.items())),
        metrics=_estimated(names, values),
        by={
            name: {value: _estimated(names, values[rows]) for value, rows in parts.items()}
            for name, parts in _parts(groups).items()
        },
    )


def _table(groups: Sequence[Group], subject: Subject, prices: Prices | None) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of all metrics and their value for each task, `[T, M]`; nan where a task has none."""
    rows = [task_figures(group, subject, prices) for group in groups]
    names = ordered({name for row in rows for name in row})
    values = np.full((len(rows), len(names)), math.nan)
    for number, row in enumerate(rows):
        for column, name in enumerate(names):
            values[number, column] = row.get(name, 0.0 if row and zero(name) else math.nan)
    return names, values


def task_figures(group: Group, subject: Subject, prices: Prices | None) -> dict[str, float]:
    """Return the means over a task's usable episodes, and what more of them than one tell; nothing without any."""
    episodes = [figures(episode, subject.success_at, prices) for episode in group.usable]
    found: dict[str, float] = {}
    for name in {name for episode in episodes for name in episode}:
        known = [episode.get(name, 0.0 if zero(name) else None) for episode in episodes]
        told = [value for value in known if value is not None]
        found[name] = sum(told) / len(told)
    count, successes = len(episodes), round(sum(episode["success"] for episode in episodes))
    for k in attempts(subject.n):
        if k <= count:
            found[f"pass@{k}"] = pass_at_k(count, successes, k)
            found[f"pass^{k}"] = pass_hat_k(count, successes, k)
    if episodes:
        found[f"avg@{subject.n}"] = found["reward"]
    return found


def attempts(n: int) -> list[int]:
    """Return the numbers of attempts that `pass@` and `pass^` are told for: the powers of 2 below `n`, and `n`."""
    return [*(2**power for power in range(n.bit_length()) if 2**power < n), n]


def _parts(groups: Sequence[Group]) -> dict[str, dict[str, list[int]]]:
    """Return, for each attribute with few values, the places of the tasks that have each value."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, group in enumerate(groups):
        for name, value in group.trajectories[0].attributes.items():
            found[name][str(value)].append(place)
    few = {name: values for name, values in found.items() if len(values) <= VALUES}
    return {name: {value: values[value] for value in sorted(values, key=natural)} for name, values in few.items()}


def _estimated(names: Sequence[str], values: NDArray[np.float64]) -> Estimates:
    found = estimates(values, [share(name) for name in names]) if names else []
    return {name: estimate for name, estimate in zip(names, found, strict=True) if estimate.tasks}


_ORDER = ("success", "reward", "avg@", "pass@", "pass^", "reward/", "turns", "tokens", "action_tokens")
_THEN = ("tool_calls", "invalid_calls", "tools/", "stop/", "failed/", "seconds", "cost")


def ordered(names: set[str]) -> list[str]:
    """Return the names of metrics in the order in which they are read."""

    def key(name: str) -> tuple[int, tuple[float, str]]:
        stem = next((mark for mark in ("/", "@", "^") if mark in name), "")
        kind = name.partition(stem)[0] + stem if stem else name
        return (*_ORDER, *_THEN).index(kind), natural(name.removeprefix(kind))

    return sorted(names, key=key)


def natural(value: str) -> tuple[float, str]:
    """Return what to sort texts by: numbers as numbers, and before words."""
    try:
        number = float(value)
    except ValueError:
        number = math.inf
    return (number, "") if math.isfinite(number) else (math.inf, value)


def _plain(found: Estimates) -> dict[str, dict[str, float]]:
    return {name: vars(estimate) for name, estimate in found.items()}


def _estimates(data: Mapping[str, Mapping[str, Any]]) -> Estimates:
    return {name: Estimate(**value) for name, value in data.items()}
