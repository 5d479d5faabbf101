"""What workers compute for each trained token of a step, without a gradient, in micro batches."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.models.packed import fresh_logprobs
from agent_rl.trainer.batches import Sample, pack_samples
from agent_rl.trainer.ranks import IDLE, Ranks
from agent_rl.trainer.sharding import through


@torch.no_grad()
def each_token(
    compute: Callable[[Sequence[Sample]], Tensor], ranks: Ranks, batch: Sequence[Sample], micro_tokens: int
) -> Tensor:
    """Return what `compute` says of the trained tokens of micro batches, in the order of the batch, `[A]`, float64."""
    lengths = [sample.trained for sample in batch]
    values = torch.zeros(sum(lengths), dtype=torch.float64)
    places = torch.arange(len(values)).split(lengths)
    placed = [replace(sample, notes={"place": place}) for sample, place in zip(batch, places, strict=True)]
    for micro in ranks.micro_batches(placed, micro_tokens):
        found = compute(micro or IDLE)
        if micro:
            values[torch.cat([sample.notes["place"] for sample in micro])] = found.to(values)
    return ranks.total(values)


def logprobs(
    model: PreTrainedModel, ranks: Ranks, batch: Sequence[Sample], micro_tokens: int, temperature: float
) -> Tensor:
    """Return the log-probability (nats) of each trained token of all samples, in order, `[A]`, float64."""
    device = ranks.device(model)

    def compute(micro: Sequence[Sample]) -> Tensor:
        packed = pack_samples(micro).to(device)
        part = ranks.part(packed)
        return ranks.joined(through(model, fresh_logprobs, part, temperature), packed, part)

    return each_token(compute, ranks, batch, micro_tokens)
