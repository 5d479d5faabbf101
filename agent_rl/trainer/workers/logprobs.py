"""Log-probabilities of what was sampled, without a gradient: what every worker with a language model can give."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.models.packed import fresh_logprobs, pack
from agent_rl.trainer.batches import Sample, micro_batches


def logprobs(model: PreTrainedModel, batch: Sequence[Sample], micro_tokens: int, temperature: float) -> Tensor:
    """Return the log-probability (nats) of each trained token of all samples, in order, `[A]`, float64."""
    lengths = [sample.trained for sample in batch]
    values = torch.zeros(sum(lengths), dtype=torch.float64)
    places = torch.arange(len(values)).split(lengths)
    placed = [replace(sample, notes={"place": place}) for sample, place in zip(batch, places, strict=True)]
    for micro in micro_batches(placed, micro_tokens):
        packed = pack([(sample.trajectory.tokens, sample.trajectory.loss_mask) for sample in micro])
        fresh = fresh_logprobs(model, packed.to(model.device), temperature)
        values[torch.cat([sample.notes["place"] for sample in micro])] = fresh.to(values)
    return values
