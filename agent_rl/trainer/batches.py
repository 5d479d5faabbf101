"""Batches: the trajectories of a step with their advantages, cut into mini batches and micro batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

import torch
from torch import Tensor

from agent_rl.core.trajectory import Trajectory
from agent_rl.models.packed import Kept, Packed, common, pack
from agent_rl.trainer.algorithms import Batch


@dataclass(frozen=True)
class Sample:
    """A trajectory to learn from.

    Attributes:
        trajectory: The trajectory.
        advantages: Of each of its trained tokens, `[A]`.
        episode: The number of its episode in the step.
        notes: What workers have computed for each of its trained tokens, by name, `[A]`.
        weight: Of the loss of each of its tokens, before the division of their sum.
    """

    trajectory: Trajectory
    advantages: Tensor
    episode: int = 0
    notes: dict[str, Tensor] = field(default_factory=dict)
    weight: float = 1.0

    @property
    def size(self) -> int:
        """Tokens of the whole sequence."""
        return len(self.trajectory.tokens)

    @property
    def trained(self) -> int:
        """Tokens that are trained."""
        return len(self.advantages)

    @property
    def engine_logprobs(self) -> Tensor:
        """Log-probability (nats) with which the engine sampled each trained token, `[A]`, float64."""
        return torch.tensor(self.trajectory.drawn_logprobs, dtype=torch.float64)

    @property
    def old_logprobs(self) -> Tensor:
        """Log-probability (nats) that ratios are measured against, `[A]`: the note `old`, or the engine's."""
        old = self.notes.get("old")
        return self.engine_logprobs if old is None else old


def kept(batch: Sequence[Sample]) -> Kept | None:
    """Return what each trained token of all samples was drawn from; None where nothing was left out."""
    supports = [support for sample in batch for support in sample.trajectory.action_supports]
    return [support.tokens if support else () for support in supports] if any(supports) else None


def pack_samples(batch: Sequence[Sample]) -> Packed:
    """Return the samples as a packed batch."""
    return pack([(sample.trajectory.tokens, sample.trajectory.loss_mask) for sample in batch], kept(batch))


def samples(batch: Batch, advantages: Tensor) -> list[Sample]:
    """Return a sample for each trajectory; `advantages` are those of all trained tokens, `[A]`."""
    lengths = batch.lengths
    notes = {name: values.split(lengths) for name, values in batch.notes.items()}
    rows = zip(batch.trajectories, advantages.split(lengths), batch.episodes.tolist(), strict=True)
    return [Sample(*row, {name: parts[number] for name, parts in notes.items()}) for number, row in enumerate(rows)]


def unlearned(batch: Batch) -> list[Sample]:
    """Return a sample for each trajectory of a batch whose advantages are not known yet."""
    return samples(batch, torch.zeros(len(batch.turns), dtype=torch.float64))


def noted(batch: Sequence[Sample], notes: dict[str, Tensor]) -> list[Sample]:
    """Return the samples with further notes, each given for all of their trained tokens, `[A]`."""
    lengths = [sample.trained for sample in batch]
    parts = {name: values.split(lengths) for name, values in notes.items()}
    return [
        replace(sample, notes=sample.notes | {name: part[i] for name, part in parts.items()})
        for i, sample in enumerate(batch)
    ]


def mini_batches(batch: Sequence[Sample], count: int) -> list[list[Sample]]:
    """Deal the samples out into at most `count` mini batches, one after the other.

    Samples of a group lie side by side, so each mini batch gets an equal part of every group.
    """
    return [part for i in range(count) if (part := list(batch[i::count]))]


def micro_batches(batch: Sequence[Sample], tokens: int) -> list[list[Sample]]:
    """Cut a mini batch into runs of at most `tokens` tokens; a longer sequence is a run of its own.

    Samples that begin with the same tokens lie side by side, and what they share counts once, as it is computed. Those
    with the same prompt stay together where that is possible.
    """
    ordered = sorted(((sample.trajectory.tokens, sample) for sample in batch), key=lambda pair: pair[0])
    runs: list[list[Sample]] = []
    room, before = 0, list[int]()
    for _, same in groupby(ordered, key=lambda pair: pair[1].trajectory.segments[0].tokens):
        group = list(same)
        sizes = _added([before, *(sequence for sequence, _ in group)])
        alone = len(group[0][0]) + sum(sizes[1:])
        if sum(sizes) > room and alone <= tokens:
            room = 0
        for (sequence, sample), size in zip(group, sizes, strict=True):
            if not runs or size > room:
                runs.append([])
                room, size = tokens, len(sequence)
            runs[-1].append(sample)
            room -= size
            before = sequence
    return runs


def _added(sequences: Sequence[list[int]]) -> list[int]:
    """Return how many tokens each sequence but the first adds to what it shares with the one before it."""
    return [len(one) - common(before, one) for before, one in pairwise(sequences)]
