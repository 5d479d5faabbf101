"""The first reading of a run's files: everything but the forward pass."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.audit.findings import Check, Finding, Place, counted
from agent_rl.rollout.audit.forward import first_version
from agent_rl.rollout.audit.groups import StepAudit, Twins
from agent_rl.rollout.audit.numbers import check_numbers, check_rewards, check_versions
from agent_rl.rollout.audit.result import Audit
from agent_rl.rollout.audit.source import Recorded, Saved, read_step
from agent_rl.rollout.audit.tokens import check_tokens
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder


@dataclass
class Seen:
    """What the first reading hands to the second.

    Attributes:
        lines: Lines that were read of each step.
        versions: For each first version of the weights, the number of trajectories by step.
        unsound: The trajectories whose tokens are refuted, by step and line, with the checks that do so.
    """

    lines: dict[int, int] = field(default_factory=dict)
    versions: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    unsound: dict[tuple[int, int | None], set[Check]] = field(default_factory=dict)


class Reader:
    """Reads the files line by line and keeps counts only."""

    def __init__(self, audit: Audit, folder: RunFolder, recorded: Recorded, limit: int | None) -> None:
        """Tell `audit` what is found, in at most `limit` trajectories."""
        self.seen = Seen()
        self._audit, self._recorded, self._limit = audit, recorded, limit
        self._metrics = {line["step"]: line for line in read_metrics(folder.metrics_jsonl)}
        self._twins = Twins()
        self._means: dict[int, list[tuple[Place, Finding]]] = {}  # of each step, what its mean reward contradicts
        self._no_tools = self._failed = self._alike = 0

    def read(self, files: list[tuple[int, Path]], progress: Callable[[int, int], None]) -> None:
        """Read steps with their files, in order."""
        for done, (step, path) in enumerate(files):
            progress(done, len(files))
            if not self._full:
                self._read_step(step, path)
        paths = dict(files)
        for (step, line), (first, before) in self._twins.find():
            place = Place(step, f"{paths[step].parent.name}/{paths[step].name}", line)
            what = f"the episode is saved already, as line {before} of step {first}"
            self._audit.add(place, Finding(Check.GROUPS, what))
            self._means.pop(step, None)  # the mean of other episodes says nothing
        for place, finding in (found for step in self._means.values() for found in step):
            self._audit.add(place, finding)
        self._conclude()

    @property
    def _full(self) -> bool:
        return self._limit is not None and self._audit.trajectories >= self._limit

    def _read_step(self, step: int, path: Path) -> None:
        audit, judge = self._audit, StepAudit(step, path, self._recorded)
        self.seen.lines[step] = 0
        audit.steps.append(step)
        for saved in read_step(step, path):
            if self._full:
                audit.note(Check.GROUPS, f"the groups of step {step} are not judged: --limit cuts the step short")
                return
            self.seen.lines[step] += 1
            audit.trajectories += 1
            self._look(saved, judge)
        metrics = self._metrics.get(step)
        audit.looked(Check.GROUPS, groups=judge.groups)
        audit.looked(Check.REWARDS, steps=int(metrics is not None))
        self._alike += judge.alike
        incomplete = list(judge.check_groups())
        for place, finding in incomplete:
            audit.add(place, finding)
        if metrics and not incomplete:
            self._means[step] = list(judge.check_mean(metrics))

    def _look(self, saved: Saved, judge: StepAudit) -> None:
        """Check one line."""
        audit, place, trajectory = self._audit, saved.place, saved.trajectory
        audit.looked(Check.FILES, lines=1)
        if trajectory is None:
            judge.add_unread(place)
            if saved.problem:
                audit.add(place, saved.problem)
            return
        judge.add(trajectory)
        self._twins.add(place, trajectory)
        audit.looked(Check.GROUPS, trajectories=1)
        audit.looked(Check.REWARDS, trajectories=1, failed=int(not trajectory.usable))
        findings = list(check_rewards(trajectory))
        if trajectory.usable:
            findings += self._look_at_tokens(place, trajectory)
        else:
            self._failed += 1
        for finding in findings:
            audit.add(place, finding, trajectory)

    def _look_at_tokens(self, place: Place, trajectory: Trajectory) -> list[Finding]:
        """Check what is trained, and note which weights sampled it."""
        audit, turns, sampled = self._audit, len(trajectory.turns), len(trajectory.action_logprobs)
        unknown = len(trajectory.segments[0].tokens) if trajectory.tools is None and trajectory.segments else 0
        audit.looked(Check.RENDER, trajectories=1, tokens=len(trajectory.tokens) - sampled - unknown)
        audit.looked(Check.MASK, turns=turns, tokens=sampled)
        audit.looked(Check.STOP, turns=turns)
        audit.looked(Check.VERSIONS, tokens=sampled)
        self._no_tools += trajectory.tools is None
        findings = list(check_tokens(trajectory, audit.rerender, self._recorded.limits))
        if findings:
            self.seen.unsound[place.step, place.line] = {finding.check for finding in findings}
        version = first_version(trajectory)
        if version is not None:
            self.seen.versions[version][place.step] += 1
        return [*findings, *check_numbers(trajectory), *check_versions(trajectory, place.step)]

    def _conclude(self) -> None:
        """Say what was left out, and what is odd but proves nothing."""
        if self._no_tools:
            text = (
                f"left out: prompts of {counted(self._no_tools, 'trajectories')} that do not say which tools they offer"
            )
            self._audit.note(Check.RENDER, text)
        if self._failed:
            text = f"left out: {counted(self._failed, 'episodes')} that infrastructure or environment failed"
            self._audit.note(Check.RENDER, text)
        if self._alike:
            text = "equal to an earlier one of their group in every token and log-probability"
            alike = counted(self._alike, "episodes")
            self._audit.note(Check.GROUPS, f"{text}, as short answers may be: {alike}")
