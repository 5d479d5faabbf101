"""The ranks that compute together: what each computes of a batch, and how what they found comes together.

Where torch.distributed has been initialised, every rank makes the same calls with the same arguments, and gets the same
answers. The process group has to reach CPU tensors: `gloo`, or `cpu:gloo,cuda:nccl`, with which ranks compute on GPUs.
Without torch.distributed there is one rank, and nothing here changes anything.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.nn import Module

from agent_rl.core.trajectory import Origin, Segment, Trajectory
from agent_rl.models.packed import Packed
from agent_rl.models.parts import joined, part_of
from agent_rl.trainer.batches import Sample, micro_batches

T = TypeVar("T")

_SEGMENTS = [Segment(Origin.PROMPT, (0,)), Segment(Origin.ACTION, (0,), (0.0,), (0,))]
IDLE = [Sample(Trajectory("idle", segments=_SEGMENTS), torch.zeros(1, dtype=torch.float64))]
"""What a rank computes, without effect, while others have a micro batch and it has none."""


@dataclass(frozen=True)
class Ranks:
    """The ranks, and which of them this process is.

    Attributes:
        rank: This one, counted from 0.
        size: How many there are.
        sharded: Whether models are dealt out among them.
        together: How many, side by side, compute each micro batch together, a part of its tokens each.
    """

    rank: int = 0
    size: int = 1
    sharded: bool = False
    together: int = 1

    @classmethod
    def here(cls, together: int = 1) -> "Ranks":
        """Return the ranks that torch.distributed knows of."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size(), sharded=True, together=together)

    def device(self, model: Module) -> torch.device:
        """Return where this rank computes with `model`."""
        if not self.sharded:
            return next(model.parameters()).device
        on_gpu = "cuda:nccl" in distributed.get_backend_config()
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")

    def micro_batches(self, batch: Sequence[Sample], tokens: int) -> list[list[Sample]]:
        """Return this rank's part of a batch in micro batches of at most `tokens` tokens.

        All ranks get as many, because they compute each together; an empty one stands where there is nothing left.
        """
        each = [micro_batches(part, tokens) for part in parts(batch, self.size // self.together)]
        mine = each[self.rank // self.together]
        return mine + [[] for _ in range(max(map(len, each)) - len(mine))]

    def part(self, packed: Packed) -> Packed:
        """Return what this rank computes of a micro batch."""
        return packed if self.together == 1 else part_of(packed, _side_by_side(self.together, distributed.group.WORLD))

    def joined(self, values: Tensor, packed: Packed, part: Packed) -> Tensor:
        """Return what is said of all trained tokens of a micro batch, from what is said of this rank's part."""
        return values if part.spread is None else joined(values, packed, part.spread)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all micro batches of a tensor on the CPU, from what each rank has found in its own."""
        if self.rank % self.together:  # another one tells the same
            values.zero_()
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def totals(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the sums over all micro batches of what has the same name."""
        found: dict[str, float] = defaultdict(float)
        for part in self.found(dict(values)):
            for name, value in part.items():
                found[name] += value
        return dict(found)

    def found(self, thing: T) -> list[T]:
        """Return what is found in micro batches: of ranks that compute them together, what one of them gives."""
        return self.gathered(thing)[:: self.together]

    def gathered(self, thing: T) -> list[T]:
        """Return what each rank gives, in their order."""
        if self.size == 1:
            return [thing]
        each: list[T] = [thing] * self.size
        distributed.all_gather_object(each, thing)
        return each

    def first(self, act: Callable[[], T]) -> T | None:
        """Let rank 0 alone do something while the others wait; they return None.

        Raises:
            Exception: What it raised, on every rank.
        """
        done, failure = None, None
        if self.rank == 0:
            try:
                done = act()
            except Exception as error:
                failure = error
        for told in self.gathered(failure):
            if told is not None:
                raise told
        return done


@cache
def _side_by_side(together: int, world: Any) -> Any:
    """Return the process group of this rank and those that compute with it, of all ranks in `world`."""
    group, _ = distributed.new_subgroups(together)
    return group


def parts(batch: Sequence[Sample], count: int) -> list[list[Sample]]:
    """Cut a batch into `count` parts of about as many tokens: none is over their mean by more than a sample.

    Samples that lie side by side stay so, for they may share what is computed once.
    """
    cut: list[list[Sample]] = [[] for _ in range(count)]
    total, before = sum(sample.size for sample in batch), 0
    for sample in batch:
        middle = 2 * before + sample.size
        cut[middle * count // (2 * total)].append(sample)
        before += sample.size
    return cut
