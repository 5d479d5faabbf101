"""The reference worker: the policy as it was before the first step, which never learns."""

from transformers import PreTrainedModel

from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.batches import unlearned
from agent_rl.trainer.workers.tokenwise import logprobs


class ReferenceWorker:
    """Notes `reference`: the log-probability of each trained token under the first model."""

    def __init__(self, model: PreTrainedModel, micro_tokens: int, temperature: float) -> None:
        """Freeze `model`; micro batches hold at most `micro_tokens` tokens, and `temperature` is the rollout's."""
        self.model = model.requires_grad_(False)
        self.micro_tokens = micro_tokens
        self.temperature = temperature

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `reference` (nats), `[A]`, float64."""
        found = logprobs(self.model, unlearned(batch), self.micro_tokens, self.temperature)
        return batch.noted(reference=found)
