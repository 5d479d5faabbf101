"""Workers for ranks that need no model, and how ranks make them."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, distributed

from agent_rl.core.errors import UserError
from agent_rl.trainer.algorithms import Batch


class Sharded:
    """Holds a part of what it computes with: each rank multiplies, and the sum over ranks is what all return."""

    def __init__(self) -> None:
        self.updates = 0
        self.skipped = 0
        self.heard: list[Any] = []

    def update(self, batch: list[float], scale: float = 1.0) -> dict[str, float]:
        self.updates += 1
        logging.getLogger("agent_rl.trainer").warning("rank %d", distributed.get_rank())
        mine = torch.tensor([sum(batch[distributed.get_rank() :: distributed.get_world_size()]) * scale])
        distributed.all_reduce(mine)
        self.heard.append((batch, scale))
        return {"sum": float(mine)}

    def annotate(self, batch: Batch) -> Batch:
        mine = torch.full((len(batch.turns),), float(distributed.get_rank() + 1))
        distributed.all_reduce(mine)
        return batch.noted(ranks=mine)

    def weights(self, version: int) -> Any:
        return SimpleNamespace(tensors=self._tensors, save=lambda folder: self.save(folder))

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each weight when all ranks have come to it, as one that is dealt out must be."""
        for number, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64, torch.int64)):
            whole = torch.ones(3, number + 1) * number
            distributed.all_reduce(whole)
            yield f"weight {number}", whole.to(dtype)

    def save(self, folder: Path, behind: bool = False) -> None:
        if distributed.get_rank() == 0:
            (folder / "state").write_text(repr(self.heard))

    def fail(self, rank: int, wrong: bool = False) -> None:
        if distributed.get_rank() == rank:
            raise UserError("the checkpoint is damaged") if wrong else ValueError("a number is wrong")
        distributed.barrier()

    def wait_for_all(self, but: int) -> None:
        if distributed.get_rank() != but:
            distributed.barrier()


def make() -> dict[str, Any]:
    return {"policy": Sharded()}


def cannot_make() -> dict[str, Any]:
    raise UserError("there is no such model")
