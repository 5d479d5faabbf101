"""The part of a pack that each of several ranks computes, and how what they predict comes together.

Losses look at whole sequences: every rank then has what is said of all trained tokens, and computes the same loss.
"""

from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, distributed

from agent_rl.models.packed import Packed
from agent_rl.models.spread import Spread


def part_of(packed: Packed, group: Any) -> Packed:
    """Return this rank's part of a pack that all ranks of a process group have: its tokens, and what they predict."""
    rank, ranks, size = distributed.get_rank(group), distributed.get_world_size(group), packed.tokens.shape[1]
    bounds = [size * number // ranks for number in range(ranks + 1)]
    mine, here = slice(bounds[rank], bounds[rank + 1]), _predicted_by(packed, bounds[rank], bounds[rank + 1])
    kept = packed.kept and [each for each, flag in zip(packed.kept, here.tolist(), strict=True) if flag]
    return replace(
        packed,
        tokens=packed.tokens[:, mine],
        positions=packed.positions[:, mine],
        sources=packed.sources[here] - mine.start,
        targets=packed.targets[here] if len(packed.targets) else packed.targets,  # of ends nothing is trained
        kept=kept,
        spread=Spread(group, rank, [end - begin for begin, end in pairwise(bounds)]),
    )


def joined(values: Tensor, packed: Packed, spread: Spread) -> Tensor:
    """Return what all ranks say of the trained tokens of a pack, `[A, ...]`, from what each says of those of its part.

    Every rank then computes the same loss of it, and its gradient goes back to the part that it came from.
    """
    ends = list(accumulate(spread.lengths, initial=0))
    here = _predicted_by(packed, ends[spread.rank], ends[spread.rank + 1])
    whole = values.new_zeros(len(here), *values.shape[1:])
    found: Tensor = _Summed.apply(whole.index_put((here.nonzero()[:, 0],), values), spread.group)
    return found


def _predicted_by(packed: Packed, begin: int, end: int) -> Tensor:
    return (packed.sources >= begin) & (packed.sources < end)


class _Summed(torch.autograd.Function):
    """The sum over ranks that all compute the same of it, so that its gradient is that of each summand."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, group: Any) -> Tensor:
        total = given.clone()
        distributed.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None
