"""What workers compute for each trained token of a step, without a gradient, in micro batches."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.models.packed import fresh_logprobs, pack
from agent_rl.trainer.batches import Sample, kept, micro_batches


@torch.no_grad()
def each_token(compute: Callable[[Sequence[Sample]], Tensor], batch: Sequence[Sample], micro_tokens: int) -> Tensor:
    """Return what `compute` says of the trained tokens of micro batches, in the order of the batch, `[A]`, float64."""
    lengths = [sample.trained for sample in batch]
    values = torch.zeros(sum(lengths), dtype=torch.float64)
    places = torch.arange(len(values)).split(lengths)
    placed = [replace(sample, notes={"place": place}) for sample, place in zip(batch, places, strict=True)]
    for micro in micro_batches(placed, micro_tokens):
        values[torch.cat([sample.notes["place"] for sample in micro])] = compute(micro).to(values)
    return values


def logprobs(model: PreTrainedModel, batch: Sequence[Sample], micro_tokens: int, temperature: float) -> Tensor:
    """Return the log-probability (nats) of each trained token of all samples, in order, `[A]`, float64."""

    def compute(micro: Sequence[Sample]) -> Tensor:
        packed = pack([(sample.trajectory.tokens, sample.trajectory.loss_mask) for sample in micro])
        return fresh_logprobs(model, packed.to(model.device), temperature, kept=kept(micro))

    return each_token(compute, batch, micro_tokens)
