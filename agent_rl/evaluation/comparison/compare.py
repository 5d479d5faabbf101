"""The comparison of two evaluations, paired by task."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_rl.core.errors import UserError, nearest
from agent_rl.evaluation.comparison.sides import Side
from agent_rl.evaluation.figures import share
from agent_rl.evaluation.results import VALUES, natural, ordered
from agent_rl.evaluation.statistics import Paired, holm, mcnemar, paired, paired_differences

_SAME = 1e-9  # a difference that rounding may have made


@dataclass(frozen=True)
class Row:
    """A figure of both sides, each the mean over the tasks that both have, and the difference of B from A.

    `holm` is the p-value corrected for the other rows beside it; None where it stands alone.
    """

    name: str
    a: float
    b: float
    paired: Paired
    holm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        corrected = {} if self.holm is None else {"p_holm": self.holm}
        return {"a": self.a, "b": self.b} | vars(self.paired) | corrected


@dataclass(frozen=True)
class Change:
    """A task on which the sides differ: both values of the metric, what was asked, and what each said.

    Of the side that is lower it is the last words of its episode with the lowest reward, of the other of the highest.
    """

    task: str
    attributes: dict[str, Any]
    a: float
    b: float
    asked: str
    said_a: str
    said_b: str

    def to_json(self) -> dict[str, Any]:
        """Return which task it is, and both values."""
        return {"task": self.task, "attributes": self.attributes, "a": self.a, "b": self.b}


@dataclass(frozen=True)
class Comparison:
    """What differs between evaluations A and B of the same tasks.

    Attributes:
        a: The one side.
        b: The other, whose difference from the first is told.
        metric: What is compared.
        row: That metric over all tasks that both have.
        figures: All other metrics but stop reasons; their p-values are not corrected.
        by: The metric by each value of each attribute, with p-values corrected (Holm) for all of these parts.
        stops: The share of episodes that ended for each reason, corrected for all of them.
        won: The tasks on which B is higher, the largest difference first.
        lost: Those on which B is lower.
        mcnemar: McNemar's exact p-value on the tasks won and lost.
        only_a: Tasks that have usable episodes in A alone; they are left out.
        only_b: The same of B.
        warnings: What makes the sides hard to compare.
    """

    a: Side
    b: Side
    metric: str
    row: Row
    figures: list[Row]
    by: dict[str, dict[str, Row]]
    stops: list[Row]
    won: list[Change]
    lost: list[Change]
    mcnemar: float
    only_a: list[str]
    only_b: list[str]
    warnings: list[str]

    @property
    def tasks(self) -> int:
        """How many tasks both sides have."""
        return self.row.paired.tasks

    def to_json(self) -> dict[str, Any]:
        """Return the figures; `difference`, `low`, `high` and `p` are those of the metric over all tasks."""
        return {
            "metric": self.metric,
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "figures": {row.name: row.to_json() for row in [self.row, *self.figures]},
            "by": {name: {value: row.to_json() for value, row in rows.items()} for name, rows in self.by.items()},
            "stops": {row.name: row.to_json() for row in self.stops},
            "won": [change.to_json() for change in self.won],
            "lost": [change.to_json() for change in self.lost],
            "only_a": self.only_a,
            "only_b": self.only_b,
            "warnings": self.warnings,
            "mcnemar": self.mcnemar,
            "tasks": self.tasks,
            "difference": self.row.paired.difference,
            "low": self.row.paired.low,
            "high": self.row.paired.high,
            "p": self.row.paired.p,
        }


def compare(a: Side, b: Side, metric: str = "success") -> Comparison:
    """Compare B with A on the tasks that both have.

    With several episodes a task, its value is their mean, and a task is won where B's is higher: with one episode and
    `success` that is McNemar's test, and with more its two kinds of discordant pairs are tasks of which B, or A, solved
    the larger share. Pairing single episodes instead would take those of a task for independent.

    Raises:
        UserError: They are of different environments or splits, no task is in both, or the metric is not known.
    """
    _check(a, b)
    tasks = [task for task in a.tasks if task in b.tasks]
    if not tasks:
        raise UserError(f"{a.label} and {b.label} have no task in common")
    rows = _rows(a, b, tasks)
    if metric not in rows:
        raise UserError(f"no metric '{metric}' in both{nearest(metric, rows)}; there are: {', '.join(rows)}")
    won, lost = _changes(a, b, tasks, metric)
    stops = [row for name, row in rows.items() if name.startswith("stop/")]
    return Comparison(
        a=a,
        b=b,
        metric=metric,
        row=rows[metric],
        figures=[row for name, row in rows.items() if name != metric and not name.startswith("stop/")],
        by=_by_attribute(a, b, tasks, metric),
        stops=_corrected(stops),
        won=won,
        lost=lost,
        mcnemar=mcnemar(len(won), len(lost)),
        only_a=[task for task in a.tasks if task not in b.tasks],
        only_b=[task for task in b.tasks if task not in a.tasks],
        warnings=list(_warnings(a, b, tasks)),
    )


def _check(a: Side, b: Side) -> None:
    for what in ("env", "split"):
        one, other = (getattr(side.results.subject, what) for side in (a, b))
        if one != other:
            raise UserError(f"the evaluations are of different tasks: {what}={one} and {what}={other}")


def _rows(a: Side, b: Side, tasks: Sequence[str]) -> dict[str, Row]:
    """Return a row for each metric that some task has on both sides."""
    names = ordered({name for side in (a, b) for task in tasks for name in side.tasks[task].figures})
    one, other = (_values(side, tasks, names) for side in (a, b))
    found = paired_differences(other - one, [share(name) for name in names])
    return {
        name: _row(name, one[:, column], other[:, column], pair)
        for column, (name, pair) in enumerate(zip(names, found, strict=True))
        if pair.tasks
    }


def _row(name: str, one: NDArray[np.float64], other: NDArray[np.float64], pair: Paired) -> Row:
    both = ~np.isnan(other - one)
    return Row(name, float(one[both].mean()), float(other[both].mean()), pair)


def _values(side: Side, tasks: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the value of each task in each metric, `[T, M]`."""
    return np.array([[side.tasks[task].value(name) for name in names] for task in tasks])


def _by_attribute(a: Side, b: Side, tasks: Sequence[str], metric: str) -> dict[str, dict[str, Row]]:
    """Return a row for each value of each attribute that has from 2 to 12 of them."""
    one, other = (_values(side, tasks, [metric])[:, 0] for side in (a, b))
    parts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, task in enumerate(tasks):
        for name, value in a.tasks[task].attributes.items():
            parts[name][str(value)].append(place)
    told: list[tuple[str, Row]] = []
    for name, values in parts.items():
        for value in sorted(values, key=natural) if 2 <= len(values) <= VALUES else ():
            found = paired((other - one)[values[value]].tolist(), share=share(metric))
            if found.tasks:
                told.append((name, _row(value, one[values[value]], other[values[value]], found)))
    by: dict[str, dict[str, Row]] = defaultdict(dict)
    for (name, _), row in zip(told, _corrected([row for _, row in told]), strict=True):
        by[name][row.name] = row
    return dict(by)


def _corrected(rows: Sequence[Row]) -> list[Row]:
    corrected = holm([row.paired.p for row in rows])
    return [Row(row.name, row.a, row.b, row.paired, p) for row, p in zip(rows, corrected, strict=True)]


def _changes(a: Side, b: Side, tasks: Sequence[str], metric: str) -> tuple[list[Change], list[Change]]:
    """Return the tasks on which B is higher, and those on which it is lower, the largest differences first."""
    won, lost = [], []
    for task in tasks:
        one, other = a.tasks[task], b.tasks[task]
        low, high = one.value(metric), other.value(metric)
        if high - low > _SAME:
            won.append(Change(task, one.attributes, low, high, one.asked, one.worst, other.best))
        elif low - high > _SAME:
            lost.append(Change(task, one.attributes, low, high, one.asked, one.best, other.worst))
    for changes in (won, lost):
        changes.sort(key=lambda change: -abs(change.b - change.a))
    return won, lost


def _warnings(a: Side, b: Side, tasks: Sequence[str]) -> Iterator[str]:
    """Yield how the evaluations were made differently, which may be what differs."""
    for what in ("n", "temperature", "success_at"):
        one, other = (getattr(side.results.subject, what) for side in (a, b))
        if one != other:
            yield f"{what} is {one} in A and {other} in B"
    yield from (f"{key} is {one} in A and {other} in B" for key, one, other in _different(a.settings, b.settings))
    for what, count in (
        ("attributes", sum(a.tasks[task].attributes != b.tasks[task].attributes for task in tasks)),
        ("first words", sum(a.tasks[task].asked != b.tasks[task].asked for task in tasks)),
    ):
        if count:
            yield f"{count} of {len(tasks)} tasks have other {what} in B than in A"


def _different(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key, value in a.items():
        if key in b and b[key] != value:
            yield key, value, b[key]
