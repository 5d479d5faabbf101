"""The process reward worker: a model whose log-ratio to the reference says what each sampled token is worth."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.core.errors import UserError
from agent_rl.models.packed import chosen_logprobs, pack, target_logits
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.algorithms.process import ProcessSettings, process_loss
from agent_rl.trainer.batches import Sample, kept, micro_batches, unlearned
from agent_rl.trainer.optimizer import apply, learning_rate, make_optimizer
from agent_rl.trainer.workers.tokenwise import logprobs

_STATE = "process.pt"


class ProcessWorker:
    """Notes `process`, and learns `outcome`. The batch must have the note `reference` already."""

    def __init__(
        self, model: PreTrainedModel, settings: ProcessSettings, micro_tokens: int, temperature: float
    ) -> None:
        """Train `model` with micro batches of at most `micro_tokens` tokens; `temperature` is the rollout's."""
        self.model = model
        self.settings = settings
        self.micro_tokens = micro_tokens
        self.temperature = temperature
        self.optimizer = make_optimizer(list(model.parameters()), settings.optimizer)
        self.updates = 0
        self.skipped = 0

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `process`: the process reward of each trained token, `[A]`, float64."""
        own = logprobs(self.model, unlearned(batch), self.micro_tokens, self.temperature)
        return batch.noted(process=self.settings.beta * (own - batch.notes["reference"]))

    def update(self, batch: Sequence[Sample], updates: int) -> dict[str, float]:
        """Take one optimizer step on a mini batch and return its metrics.

        The loss is the mean over the trajectories of the mini batch; the accuracy is that of before the step.

        Args:
            batch: The mini batch, with the notes `reference` and `outcome`.
            updates: Optimizer steps of the whole run, for the schedule.
        """
        loss = right = 0.0
        for micro in micro_batches(batch, self.micro_tokens):
            own = self._logprobs(micro)
            reference = torch.cat([sample.notes["reference"] for sample in micro]).to(own)
            outcomes = torch.stack([sample.notes["outcome"][0] for sample in micro]).to(own)
            lengths = [sample.trained for sample in micro]
            losses, hits = process_loss(self.settings.beta * (own - reference), outcomes, lengths)
            part = losses.sum() / len(batch)
            part.backward()
            loss, right = loss + float(part.detach()), right + float(hits.sum())
        rate = learning_rate(self.settings.optimizer, self.updates, updates)
        norm = apply(self.optimizer, rate, self.settings.optimizer.max_grad_norm, loss) if batch else 0.0
        self.updates += 1
        self.skipped += norm is None
        return {
            "process/loss": loss,
            "process/accuracy": right / max(1, len(batch)),
            "process/lr": rate,
            "process/grad_norm": norm or 0.0,
            "process/skipped_updates": float(norm is None),
        }

    def save(self, folder: Path) -> None:
        """Write the model and the optimizer's state into `folder`."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state | {"updates": self.updates, "skipped": self.skipped}, folder / _STATE)

    def load(self, folder: Path) -> None:
        """Restore what was saved.

        Raises:
            UserError: It is missing or damaged.
        """
        try:
            state = torch.load(folder / _STATE, weights_only=True, map_location=self.model.device)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.updates, self.skipped = state["updates"], state["skipped"]
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise UserError(f"the process reward model's state in {folder} cannot be read: {told}") from error

    def _logprobs(self, batch: Sequence[Sample]) -> Tensor:
        """Return the log-probability (nats) of each trained token, `[A]`, with a gradient."""
        packed = pack([(sample.trajectory.tokens, sample.trajectory.loss_mask) for sample in batch])
        packed = packed.to(self.model.device)
        return chosen_logprobs(target_logits(self.model, packed, self.temperature), packed, kept(batch))
