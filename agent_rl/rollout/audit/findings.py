"""What an audit says: checks, findings, verdicts."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

_KEPT = 50  # violations of a check that are kept in full; the others are counted


class Check(StrEnum):
    """What is checked, in the order of the report."""

    FILES = "files"
    RENDER = "render"
    MASK = "mask"
    STOP = "stop"
    LOGPROBS = "logprobs"
    GROUPS = "groups"
    REWARDS = "rewards"
    VERSIONS = "versions"


CLAIMS = {
    Check.FILES: "every saved line is a trajectory whose parts fit together",
    Check.RENDER: "prompts and observations are exactly the tokens of their messages",
    Check.MASK: "what is trained is what the policy sampled, turn by turn",
    Check.STOP: "every turn that was not cut ends with its one stop token, and that is trained",
    Check.LOGPROBS: "a fresh forward pass of the weights that sampled gives the log-probabilities of the engine",
    Check.GROUPS: "groups are complete, and no episode is there twice",
    Check.REWARDS: "what infrastructure or environment failed has no reward, and none went into the mean",
    Check.VERSIONS: "weight versions never go back within an episode and never run ahead of their step",
}
"""What holds when a check holds."""


@dataclass(frozen=True)
class Finding:
    """Something that contradicts a check.

    Attributes:
        check: The check.
        what: What is wrong, in one line.
        turn: The turn, from 0; None when it is no matter of one turn. An observation belongs to the turn before it.
        position: The token's place in the trajectory, from 0.
        expected: The text that should be there.
        found: The text that is there.
    """

    check: Check
    what: str
    turn: int | None = None
    position: int | None = None
    expected: str = ""
    found: str = ""


@dataclass(frozen=True)
class Place:
    """Where a trajectory is saved; without a line, the whole step.

    Attributes:
        step: The training step, from 1.
        file: The file's name in the run folder.
        line: The line in the file, from 1.
        task_id: The task.
        sample: Which sample of the task.
        part: Which part of the episode, when it became several trajectories.
    """

    step: int
    file: str
    line: int | None = None
    task_id: str | None = None
    sample: int | None = None
    part: int = 0

    def __str__(self) -> str:
        """Return the place as one reads it out."""
        line = f":{self.line}" if self.line is not None else ""
        task = f" task {self.task_id}" if self.task_id is not None else ""
        sample = f" sample {self.sample}" if self.sample is not None else ""
        return f"{self.file}{line}{task}{sample}{f' part {self.part}' if self.part else ''}"


@dataclass(frozen=True)
class Violation:
    """A finding and where it is."""

    place: Place
    finding: Finding

    @property
    def where(self) -> str:
        """The place, turn (from 1) and token position."""
        turn = f" turn {self.finding.turn + 1}" if self.finding.turn is not None else ""
        token = f" token {self.finding.position}" if self.finding.position is not None else ""
        return f"{self.place}{turn}{token}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self.place) | asdict(self.finding)


def counted(count: int, unit: str) -> str:
    """Return a count in words, `1 token` or `1,024 tokens`; `unit` is the plural."""
    return f"{count:,} {unit if count != 1 else 'trajectory' if unit == 'trajectories' else unit.removesuffix('s')}"


class Verdict(StrEnum):
    """What became of a check."""

    HOLDS = "holds"
    REFUTED = "refuted"
    NOT_CHECKED = "not checked"


@dataclass
class Result:
    """A check with what was looked at and what was found.

    Attributes:
        check: The check.
        looked_at: How many of what, `{"trajectories": 128}`; nothing means that it was not checked.
        violations: How many findings there are.
        first: The first of them.
        notes: What a reader should know besides, such as why something was left out.
    """

    check: Check
    looked_at: Counter[str] = field(default_factory=Counter)
    violations: int = 0
    first: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Refuted by a single violation; not checked when nothing was looked at."""
        if self.violations:
            return Verdict.REFUTED
        return Verdict.HOLDS if any(self.looked_at.values()) else Verdict.NOT_CHECKED

    def add(self, place: Place, finding: Finding) -> None:
        """Count a finding."""
        self.violations += 1
        if len(self.first) < _KEPT:
            self.first.append(Violation(place, finding))

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "verdict": self.verdict,
            "looked_at": dict(self.looked_at),
            "violations": self.violations,
            "notes": self.notes,
            "first": [violation.to_json() for violation in self.first],
        }
