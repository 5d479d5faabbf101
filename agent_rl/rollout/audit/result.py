"""An audit's outcome: the verdicts, the gaps, and the trajectories worth showing."""

from dataclasses import dataclass, field
from typing import Any

from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.audit.findings import CLAIMS, Check, Finding, Place, Result
from agent_rl.rollout.audit.gaps import Gaps
from agent_rl.rollout.audit.rerender import Rerender

_REFUTED_SHOWN = 3  # trajectories shown for each check that is refuted
_WORST_SHOWN = 5  # trajectories shown for their gaps


@dataclass
class Exhibit:
    """A trajectory to show.

    Attributes:
        place: Where it is saved.
        trajectory: The trajectory.
        findings: What is wrong in it.
        fresh: Log-probability of the fresh forward pass by token position, where there is one.
        largest: The largest gap between that and the engine's.
    """

    place: Place
    trajectory: Trajectory
    findings: list[Finding] = field(default_factory=list)
    fresh: dict[int, float] = field(default_factory=dict)
    largest: float = 0.0


@dataclass
class Audit:
    """What was found in a run.

    Attributes:
        run: The run's folder.
        rerender: Gives tokens as text.
        tolerance: Largest gap (nats) that is no violation.
        steps: Steps that were read.
        trajectories: Trajectories that were read.
        results: A result for every check.
        gaps: Gaps of the log-probabilities.
        refuted: Trajectories with violations, the first of each check.
        worst: Trajectories with the largest gaps, worst first.
        seconds: How long it took.
    """

    run: str
    rerender: Rerender
    tolerance: float
    steps: list[int] = field(default_factory=list)
    trajectories: int = 0
    results: dict[Check, Result] = field(default_factory=lambda: {check: Result(check) for check in CLAIMS})
    gaps: Gaps = field(default_factory=Gaps)
    refuted: dict[tuple[int, int | None], Exhibit] = field(default_factory=dict)
    worst: list[Exhibit] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def violations(self) -> int:
        """Violations of all checks."""
        return sum(result.violations for result in self.results.values())

    def add(self, place: Place, finding: Finding, trajectory: Trajectory | None = None) -> None:
        """Count a finding; keep its trajectory when it is one of the first of its check."""
        result = self.results[finding.check]
        result.add(place, finding)
        if trajectory is None:
            return
        key = (place.step, place.line)
        shown = {(v.place.step, v.place.line) for v in result.first} & self.refuted.keys()
        if key not in self.refuted and len(shown) < _REFUTED_SHOWN:
            self.refuted[key] = Exhibit(place, trajectory)
        if key in self.refuted:
            self.refuted[key].findings.append(finding)

    def looked(self, check: Check, **counts: int) -> None:
        """Count what a check looked at."""
        self.results[check].looked_at.update(counts)

    def note(self, check: Check, text: str) -> None:
        """Say something beside a verdict."""
        self.results[check].notes.append(text)

    def show_worst(self, exhibit: Exhibit) -> None:
        """Keep a trajectory if it is among those with the largest gaps."""
        self.worst = sorted([*self.worst, exhibit], key=lambda one: -one.largest)[:_WORST_SHOWN]

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values; they end with the three figures that a machine asks for."""
        return {
            "run": self.run,
            "steps": self.steps,
            "tolerance": self.tolerance,
            "checks": {check.value: result.to_json() for check, result in self.results.items()},
            "gaps": self.gaps.to_json(),
            "seconds": self.seconds,
            "trajectories": self.trajectories,
            "violations": self.violations,
            "max_logprob_gap": self.gaps.largest,
        }
