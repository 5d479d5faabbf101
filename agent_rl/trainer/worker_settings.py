"""The section `worker`, apart from the code that reads it and transformers with it."""

from typing import Literal

from pydantic import PositiveInt

from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings


class WorkerSettings(Settings):
    """How the models that train or judge are held in memory."""

    recompute: bool = False
    """Keep only what enters a layer for the backward pass, and compute the rest of it again."""
    compute: Literal["float32", "bfloat16"] | None = None
    """On several ranks: the type that layers compute in, where it is not that of the weights (`model.dtype`), in which
    gradients are added up and the optimizer works."""
    offload: bool = False
    """On several ranks: keep weights, gradients and optimizer in main memory, beside a GPU."""
    sequence_parallel: PositiveInt = 1
    """On several ranks: how many compute each micro batch together, so that `trainer.micro_tokens`, and the longest
    sequence, may be as many times as large. It divides the number of ranks, and attention's heads."""

    def check(self, sharded: bool) -> None:
        """Refuse what only models that are dealt out over ranks can do.

        Raises:
            UserError: A setting would have no effect.
        """
        for name in ("compute", "offload", "sequence_parallel"):
            if not sharded and getattr(self, name) != type(self).model_fields[name].default:
                raise UserError(f"'worker.{name}' has no effect on one rank")
