"""Which trajectories go into an exported page: what a user's words ask for, and without any a fair choice."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain, zip_longest
from typing import Any

from agent_rl.core.errors import UserError, nearest
from agent_rl.evaluation.viewer.runs import RunFile, ViewedRun

Row = Mapping[str, Any]

MOST_MEGABYTES = 50
_PATTERNS = ("run", "file", "task")  # may hold * and ?
_EXACT = ("stop", "success", "failure", "tool")
_NUMBERS = ("limit", "megabytes")


@dataclass(frozen=True)
class Choice:
    """What to take.

    Attributes:
        patterns: What the names of runs, files and tasks look like, such as `{"file": "evaluations/*"}`.
        wanted: What else a row must have, such as `{"stop": "answered", "hops": "2"}`; names that are not ours are
            those of the tasks' attributes.
        limit: At most so many trajectories of a file.
        megabytes: At most so many (of 10^6 bytes) for the page.
    """

    patterns: Mapping[str, str] = field(default_factory=dict)
    wanted: Mapping[str, str] = field(default_factory=dict)
    limit: int = 50
    megabytes: float = 20.0

    @classmethod
    def parse(cls, words: str) -> "Choice":
        """Read words such as `file=evaluations/after success=false hops=2 limit=20`.

        Raises:
            UserError: They cannot be read.
        """
        try:
            pairs = [word.split("=", 1) for word in shlex.split(words)]
            given = dict(pairs)
            limit, megabytes = int(given.get("limit", cls.limit)), float(given.get("megabytes", cls.megabytes))
        except ValueError as error:
            raise UserError(f"cannot read the choice {words!r}: words are like success=false or limit=20") from error
        if limit < 1 or not 0 < megabytes <= MOST_MEGABYTES:
            raise UserError(f"limit is at least 1, and megabytes more than 0 and at most {MOST_MEGABYTES}")
        if given.get("success", "true") not in ("true", "false"):
            raise UserError(f"success is true or false, not {given['success']}")
        rest = {name: value for name, value in given.items() if name not in (*_PATTERNS, *_NUMBERS)}
        return cls({name: given[name] for name in _PATTERNS if name in given}, rest, limit, megabytes)

    def files(self, run: ViewedRun) -> list[RunFile]:
        """Return the files to take from: those that fit, or else the evaluations and the last step of the training."""
        if not self._fits("run", run.name):
            return []
        files = list(run.files.values())
        if "file" in self.patterns:
            return [file for file in files if self._fits("file", file.name)]
        last = max((file.step or 0 for file in files if file.kind == "training"), default=None)
        return [f for f in files if f.kind == "evaluation" or (f.kind == "training" and (f.step or 0) == last)]

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows of a file that fit, successes and failures in turn where both are wanted, at most `limit`."""
        fitting = [row for row in rows if self._fits("task", row["task"]) and self._wants(row)]
        return (fitting if "success" in self.wanted else in_turn(fitting))[: self.limit]

    def check(self, rows: Iterable[Row]) -> None:
        """Refuse attributes that none of the rows has.

        Raises:
            UserError: There is one, most likely a misspelt word.
        """
        known = {name for row in rows for name in row["attributes"]}
        for name in self.wanted:
            if name not in _EXACT and name not in known:
                words = [*_PATTERNS, *_EXACT, *_NUMBERS, *known]
                raise UserError(f"no task has an attribute {name!r}{nearest(name, words)}")

    def _fits(self, name: str, value: str) -> bool:
        return fnmatchcase(value, self.patterns.get(name, "*"))

    def _wants(self, row: Row) -> bool:
        return all(value in _values(row, name) for name, value in self.wanted.items())


def in_turn(rows: Sequence[Row]) -> list[Row]:
    """Return the rows so that successes and the others alternate as long as there are both, each in their order."""
    successes = [row for row in rows if row["success"]]
    others = [row for row in rows if not row["success"]]
    pairs: Iterator[Row | None] = chain.from_iterable(zip_longest(successes, others))
    return [row for row in pairs if row is not None]


def _values(row: Row, name: str) -> Sequence[str]:
    """Return what a row has under the name of a filter, as it is written."""
    if name == "success":
        return () if row["success"] is None else (str(row["success"]).lower(),)
    if name == "failure":
        failure = row["failure"]
        return ("any", failure["cause"], failure["source"]) if failure else ("none",)
    if name == "tool":
        return [tool for tool, calls in row["tools"].items() if calls]
    return (row["stop"],) if name == "stop" else (str(row["attributes"].get(name)),)
