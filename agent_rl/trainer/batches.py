"""Batches: the trajectories of a step with their advantages, cut into mini batches and micro batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.trainer.algorithms.base import Algorithm


@dataclass(frozen=True)
class Sample:
    """A trajectory to learn from."""

    trajectory: Trajectory
    advantage: float

    @property
    def size(self) -> int:
        """Tokens of the whole sequence."""
        return len(self.trajectory.tokens)

    @property
    def trained(self) -> int:
        """Tokens that are trained."""
        return len(self.trajectory.action_logprobs)


def make_batch(groups: Sequence[Group], algorithm: Algorithm) -> list[Sample]:
    """Return a sample for every usable trajectory that sampled anything."""
    return [
        Sample(trajectory, advantage)
        for group in groups
        for trajectory, advantage in zip(group.trajectories, algorithm.advantages(group), strict=True)
        if trajectory.usable and trajectory.action_logprobs
    ]


def mini_batches(batch: Sequence[Sample], count: int) -> list[list[Sample]]:
    """Deal the samples out into at most `count` mini batches, one after the other.

    Samples of a group lie side by side, so each mini batch gets an equal part of every group.
    """
    return [part for i in range(count) if (part := list(batch[i::count]))]


def micro_batches(batch: Sequence[Sample], tokens: int) -> list[list[Sample]]:
    """Cut a mini batch into runs of at most `tokens` tokens; a longer sequence is a run of its own."""
    runs: list[list[Sample]] = []
    room = 0
    for sample in sorted(batch, key=lambda sample: sample.size):
        if not runs or sample.size > room:
            runs.append([])
            room = tokens
        runs[-1].append(sample)
        room -= sample.size
    return runs
