"""One pack over several ranks. Each has a part of its tokens, and within attention all of them for a part of the heads.

    tokens of one rank, all heads  --all to all-->  all tokens, heads of one rank  --attention, all to all-->  back

(Ulysses; Jacobs et al. 2023, arXiv:2309.14509). All but attention computes each token by itself, so that it is exact,
and a pack may be as many times as long as there are ranks.
"""

from dataclasses import dataclass
from math import lcm
from typing import Any

import torch
from torch import Tensor, distributed

from agent_rl.core.errors import UserError


@dataclass(frozen=True)
class Spread:
    """How the tokens of a pack lie on the ranks of a process group.

    Attributes:
        group: The process group.
        rank: This one of its ranks.
        lengths: Tokens on each of its ranks, one behind the other.
    """

    group: Any
    rank: int
    lengths: list[int]

    def over_heads(self, part: Tensor) -> Tensor:
        """Return all tokens of this rank's share of the heads, `[1, H / W, S, D]`, from `[1, H, T, D]` of its tokens.

        Where there are too few heads, those of keys and values, several ranks get the same ones.
        """
        heads, ranks = part.shape[1], len(self.lengths)
        copies = lcm(heads, ranks) // heads
        if copies > 1:
            part = part.repeat_interleave(copies, dim=1)
        whole: Tensor = _Exchange.apply(part.transpose(1, 2), self, True)
        return whole.transpose(1, 2)

    def over_tokens(self, mixed: Tensor) -> Tensor:
        """Return all heads of this rank's tokens, `[1, T, H, D]`, from `[1, S, H / W, D]`."""
        part: Tensor = _Exchange.apply(mixed, self, False)
        return part


def check_heads(heads: int, key_heads: int, ranks: int) -> None:
    """Refuse ranks among which heads cannot be shared out.

    Raises:
        UserError: They cannot.
    """
    if heads % lcm(key_heads, ranks):
        raise UserError(
            f"worker.sequence_parallel={ranks} does not go with {heads} attention heads over {key_heads} of keys and "
            "values: each rank needs as many of both"
        )


class _Exchange(torch.autograd.Function):
    """`[1, T, H, D]` to `[1, S, H / W, D]` or back."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, spread: Spread, to_heads: bool) -> Tensor:
        ctx.spread, ctx.to_heads = spread, to_heads
        return _to_heads(given, spread) if to_heads else _to_tokens(given, spread)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return (_to_tokens if ctx.to_heads else _to_heads)(grad, ctx.spread), None, None


def _to_heads(part: Tensor, spread: Spread) -> Tensor:
    _, time, heads, width = part.shape
    ranks = len(spread.lengths)
    sent = part[0].unflatten(1, (ranks, heads // ranks)).transpose(0, 1).flatten(0, 1).contiguous()
    whole = part.new_empty(sum(spread.lengths), heads // ranks, width)
    distributed.all_to_all_single(whole, sent, spread.lengths, [time] * ranks, group=spread.group)
    return whole[None]


def _to_tokens(whole: Tensor, spread: Spread) -> Tensor:
    _, _, heads, width = whole.shape
    ranks, time = len(spread.lengths), spread.lengths[spread.rank]
    part = whole.new_empty(ranks * time, heads, width)
    distributed.all_to_all_single(part, whole[0].contiguous(), [time] * ranks, spread.lengths, group=spread.group)
    each: Tensor = part.unflatten(0, (ranks, time))
    return each.transpose(0, 1).flatten(1, 2)[None]
