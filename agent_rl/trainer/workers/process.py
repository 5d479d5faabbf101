"""The process reward worker: a model whose log-ratio to the reference says what each sampled token is worth."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.models.packed import predict
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.algorithms.process import ProcessSettings, process_loss
from agent_rl.trainer.batches import Sample, pack_samples, unlearned
from agent_rl.trainer.optimizer import apply, learning_rate, make_optimizer
from agent_rl.trainer.ranks import IDLE, Ranks
from agent_rl.trainer.sharding import prepare, through
from agent_rl.trainer.states import load_state, save_state
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers.tokenwise import logprobs

_STATE = "process.pt"


class ProcessWorker:
    """Notes `process`, and learns `outcome`. The batch must have the note `reference` already."""

    def __init__(
        self,
        model: PreTrainedModel,
        settings: ProcessSettings,
        micro_tokens: int,
        temperature: float,
        held: WorkerSettings | None = None,
    ) -> None:
        """Train `model` with micro batches of at most `micro_tokens` tokens; `temperature` is the rollout's."""
        self.ranks = Ranks.here()
        self.device = self.ranks.device(model)
        prepare(model, held or WorkerSettings(), self.ranks)
        self.model = model
        self.settings = settings
        self.micro_tokens = micro_tokens
        self.temperature = temperature
        self.optimizer = make_optimizer(list(model.parameters()), settings.optimizer)
        self.updates = 0
        self.skipped = 0

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
        rate = learning_rate(self.settings.optimizer, self.updates, updates)
        limit = self.settings.optimizer.max_grad_norm
        norm = apply(self.optimizer, rate, limit, sums["loss"]) if batch else 0.0
        self.updates += 1
        self.skipped += norm is None
        return {
            "process/loss": sums["loss"],
            "process/accuracy": sums["right"] / max(1, len(batch)),
            "process/lr": rate,
            "process/grad_norm": norm or 0.0,
            "process/skipped_updates": float(norm is None),
        }

    def save(self, folder: Path) -> None:
        """Write the model and the optimizer's state into `folder`."""
        counts = {"updates": self.updates, "skipped": self.skipped}
        save_state(folder / _STATE, self.optimizer, self.model, self.ranks, own=True, **counts)

    def load(self, folder: Path) -> None:
        """Restore what was saved.

        Raises:
            UserError: It is missing or damaged.
        """
        state = load_state(folder / _STATE, self.optimizer, self.model, self.ranks, own=True)
        self.updates, self.skipped = state["updates"], state["skipped"]

    def _logprobs(self, batch: Sequence[Sample]) -> Tensor:
        """Return the log-probability (nats) of each trained token, `[A]`, with a gradient."""
        return through(self.model, predict, pack_samples(batch).to(self.device), self.temperature).logprobs
