"""Whole steps: are the groups complete, is an episode there twice, did a failed one reach the mean reward?"""

import hashlib
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.audit.findings import Check, Finding, Place
from agent_rl.rollout.audit.source import Recorded, member

Found = tuple[Place, Finding]


class StepAudit:
    """Takes the trajectories of one step, one at a time, and judges the step when all are there."""

    def __init__(self, step: int, path: Path, recorded: Recorded) -> None:
        """Begin with a step's file."""
        self._place = Place(step, f"{path.parent.name}/{path.name}")
        self._recorded = recorded
        self._members: dict[str, Counter[tuple[int, int]]] = defaultdict(Counter)
        self._rewards: list[float] = []
        self._said: dict[str, Counter[int]] = defaultdict(Counter)
        self._unread = self._unnamed = 0

    def add(self, trajectory: Trajectory) -> None:
        """Take one."""
        self._members[trajectory.task_id][member(trajectory)] += 1
        if trajectory.usable:
            if trajectory.part and self._rewards:  # the parts of an episode lie side by side
                self._rewards[-1] += trajectory.reward
            else:
                self._rewards.append(trajectory.reward)
            self._said[trajectory.task_id][_digest(trajectory.segments)] += 1

    def add_unread(self, place: Place) -> None:
        """Take the place of a line that could not be read; it counts in its group when it says in which."""
        self._unread += 1
        if place.task_id is None or place.sample is None:
            self._unnamed += 1
        else:
            self._members[place.task_id][place.sample, place.part] += 1

    @property
    def groups(self) -> int:
        """Groups of the step: as many of a task as it has first samples, and at least one."""
        return sum(_groups(members) for members in self._members.values())

    @property
    def usable(self) -> int:
        """Episodes that count."""
        return len(self._rewards)

    @property
    def alike(self) -> int:
        """Episodes that equal an earlier one of their group in every token and log-probability, perhaps by chance."""
        return sum(count - 1 for said in self._said.values() for count in said.values())

    def check_groups(self) -> Iterator[Found]:
        """Yield groups with missing, surplus or unknown members, and a number of groups that is not the step's.

        Nothing is said of a step with lines that do not say what they are.
        """
        if self._unnamed:
            return
        for task, members in self._members.items():
            groups = _groups(members)
            place = Place(self._place.step, self._place.file, None, task)
            for sample in range(self._recorded.samples):
                if members[sample, 0] != groups:
                    what = f"sample {sample} of the task is there {members[sample, 0]} times, not {groups}"
                    yield place, Finding(Check.GROUPS, what, expected=str(groups), found=str(members[sample, 0]))
            for (sample, part), count in members.items():
                if not 0 <= sample < self._recorded.samples:
                    what = f"there is a sample {sample}, but groups have {self._recorded.samples}"
                    yield place, Finding(Check.GROUPS, what)
                elif part and count > members[sample, part - 1]:
                    yield place, Finding(Check.GROUPS, f"part {part} of sample {sample} has no part {part - 1}")
        if self.groups != self._recorded.tasks and not (self._recorded.refills and self.groups > self._recorded.tasks):
            what = f"the step has {self.groups} groups, not {self._recorded.tasks}"
            yield self._place, Finding(Check.GROUPS, what, expected=str(self._recorded.tasks), found=str(self.groups))

    def check_mean(self, metrics: dict[str, float]) -> Iterator[Found]:
        """Yield a mean reward in the metrics that is not the mean over the usable episodes, if all could be read."""
        said = metrics.get("reward/mean")
        mean = sum(self._rewards) / len(self._rewards) if self._rewards else 0.0
        if said is not None and not self._unread and not math.isclose(said, mean, rel_tol=1e-9, abs_tol=1e-12):
            what = f"the mean reward in the metrics is {said:.9g}, that of the {self.usable} usable episodes {mean:.9g}"
            yield self._place, Finding(Check.REWARDS, what, expected=f"{mean:.9g}", found=f"{said:.9g}")


class Twins:
    """Finds episodes that are saved twice anywhere in a run, with 16 bytes of memory for each."""

    def __init__(self) -> None:
        """Begin with none."""
        self._digests, self._places = array("Q"), array("Q")

    def add(self, place: Place, trajectory: Trajectory) -> None:
        """Take one. Its wall-clock times are compared too: two episodes never share them."""
        if trajectory.segments and place.line is not None:
            self._digests.append(
                _digest((trajectory.task_id, trajectory.segments, trajectory.turns, trajectory.seconds))
            )
            self._places.append(place.step << 32 | place.line)

    def find(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Return step and line of each episode that is there again, and of its first appearance, in order."""
        digests, places = np.array(self._digests, dtype=np.uint64), np.array(self._places, dtype=np.uint64)
        order = np.argsort(digests, kind="stable")
        ordered = digests[order]
        found = []
        for number in np.flatnonzero(ordered[1:] == ordered[:-1]) + 1:
            first = np.searchsorted(ordered, ordered[number])
            again, before = int(places[order[number]]), int(places[order[first]])
            found.append(((again >> 32, again & 0xFFFFFFFF), (before >> 32, before & 0xFFFFFFFF)))
        return sorted(found)


def _groups(members: Counter[tuple[int, int]]) -> int:
    """Return how many groups of a task there are: what most of its samples say."""
    counts = Counter(count for (_, part), count in members.items() if not part)
    return counts.most_common(1)[0][0] if counts else 1


def _digest(value: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "big")
