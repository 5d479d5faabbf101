"""The process reward worker: a model whose log-ratio to the reference says what each sampled token is worth."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.algorithms.process import ProcessSettings, process_loss
from agent_rl.trainer.batches import Sample, pack_samples, unlearned
from agent_rl.trainer.ranks import IDLE
from agent_rl.trainer.sharding import predicted
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers.beside import BesideWorker
from agent_rl.trainer.workers.tokenwise import logprobs


class ProcessWorker(BesideWorker):
    """Notes `process`, and learns `outcome`. The batch must have the note `reference` already."""

    name = "process"

    def __init__(
        self,
        model: PreTrainedModel,
        settings: ProcessSettings,
        micro_tokens: int,
        temperature: float,
        held: WorkerSettings | None = None,
    ) -> None:
        """Train `model` with micro batches of at most `micro_tokens` tokens; `temperature` is the rollout's."""
        self.model = model
        self.settings = settings
        self.temperature = temperature
        self._hold(model, settings.optimizer, micro_tokens, held)

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `process`: the process reward of each trained token, `[A]`, float64."""
        own = logprobs(self.model, self.ranks, unlearned(batch), self.micro_tokens, self.temperature)
        return batch.noted(process=self.settings.beta * (own - batch.notes["reference"]))

    def update(self, batch: Sequence[Sample], updates: int) -> dict[str, float]:
        """Take one optimizer step on a mini batch and return its metrics.

        The loss is the mean over the trajectories of the mini batch; the accuracy is that of before the step.

        Args:
            batch: The mini batch, with the notes `reference` and `outcome`.
            updates: Optimizer steps of the whole run, for the schedule.
        """
        loss = right = 0.0
        for micro in self.ranks.micro_batches(batch, self.micro_tokens):
            own = self._logprobs(micro or IDLE)
            if not micro:
                (own.sum() * 0.0).backward()  # for the ranks compute every micro batch together
                continue
            reference = torch.cat([sample.notes["reference"] for sample in micro]).to(own)
            outcomes = torch.stack([sample.notes["outcome"][0] for sample in micro]).to(own)
            lengths = [sample.trained for sample in micro]
            losses, hits = process_loss(self.settings.beta * (own - reference), outcomes, lengths)
            part = losses.sum() / len(batch)
            part.backward()
            loss, right = loss + float(part.detach()), right + float(hits.sum())
        sums = self.ranks.totals({"loss": loss, "right": right})
        accuracy = sums["right"] / max(1, len(batch))
        return self._apply(sums["loss"], updates, learned=bool(batch)) | {"process/accuracy": accuracy}

    def _logprobs(self, batch: Sequence[Sample]) -> Tensor:
        """Return the log-probability (nats) of each trained token, `[A]`, with a gradient."""
        packed = pack_samples(batch).to(self.device)
        return predicted(self.model, self.ranks, packed, self.temperature).logprobs
