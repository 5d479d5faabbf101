"""The value worker: a model that says, before each sampled token, what reward is still to come."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Linear, Module
from transformers import PreTrainedModel

from agent_rl.models.packed import Packed, hidden
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.algorithms.values import ValueSettings, explained_variance, value_loss
from agent_rl.trainer.batches import Sample, pack_samples, unlearned
from agent_rl.trainer.ranks import IDLE
from agent_rl.trainer.sharding import through
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers.beside import BesideWorker
from agent_rl.trainer.workers.tokenwise import each_token


class ValueModel(Module):
    """A decoder with a head of one number."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Take the decoder of `model`, which is on a device or on `meta`."""
        super().__init__()
        self.decoder = model.get_decoder()
        precision = torch.promote_types(model.dtype, torch.float32)
        self.head = Linear(model.config.get_text_config().hidden_size, 1, device=model.device, dtype=precision)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def values(self, packed: Packed) -> Tensor:
        """Return the value before each trained token, `[A, 1]`."""
        values: Tensor = self.head(hidden(self.decoder, packed).to(self.head.weight.dtype))
        return values


class ValueWorker(BesideWorker):
    """Notes `values`, and learns `returns`.

    The head begins at zero: every value is 0 then, so that the first advantages are the returns themselves, without the
    noise of a random head, and nothing random is needed for a run to be the same again.
    """

    name = "value"

    def __init__(
        self, model: PreTrainedModel, settings: ValueSettings, micro_tokens: int, held: WorkerSettings | None = None
    ) -> None:
        """Train the decoder of `model` and a head with micro batches of at most `micro_tokens` tokens."""
        self.model = ValueModel(model)
        self.settings = settings
        self._hold(self.model, settings.optimizer, micro_tokens, held, exact=[self.model.head])

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `values`: the value before each trained token, `[A]`, float64."""
        return batch.noted(values=each_token(self._values, self.ranks, unlearned(batch), self.micro_tokens))

    def update(self, batch: Sequence[Sample], updates: int) -> dict[str, float]:
        """Take one optimizer step on a mini batch and return its metrics.

        The loss is the mean over the tokens of the mini batch; the explained variance is that of the values before.

        Args:
            batch: The mini batch, with the notes `values` and `returns`.
            updates: Optimizer steps of the whole run, for the schedule.
        """
        trained, loss = sum(sample.trained for sample in batch), 0.0
        for micro in self.ranks.micro_batches(batch, self.micro_tokens):
            values = self._values(micro or IDLE)
            if not micro:
                (values.sum() * 0.0).backward()  # for the ranks compute every micro batch together
                continue
            old, returns = (_note(micro, name).to(values) for name in ("values", "returns"))
            part = value_loss(values, old, returns, self.settings.clip).sum() / trained
            part.backward()
            loss += float(part.detach())
        loss = self.ranks.totals({"loss": loss})["loss"]
        metrics = self._apply(loss, updates)
        explained = explained_variance(_note(batch, "values"), _note(batch, "returns"))
        return metrics | ({} if explained is None else {"value/explained_variance": explained})

    def _values(self, batch: Sequence[Sample]) -> Tensor:
        """Return the value before each trained token, `[A]`, with a gradient."""
        packed = pack_samples(batch).to(self.device)
        part = self.ranks.part(packed)
        return self.ranks.joined(through(self.model, ValueModel.values, part), packed, part)[:, 0]


def _note(batch: Sequence[Sample], name: str) -> Tensor:
    return torch.cat([sample.notes[name] for sample in batch])
