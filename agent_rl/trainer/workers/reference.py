"""The reference worker: the policy as it was before the first step, which never learns."""

from transformers import PreTrainedModel

from agent_rl.models.lora import without_adapters
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.batches import unlearned
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.sharding import prepare
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers.policy import PolicyWorker
from agent_rl.trainer.workers.tokenwise import logprobs


class ReferenceWorker:
    """Notes `reference`: the log-probability of each trained token under the first model."""

    def __init__(
        self, model: PreTrainedModel, micro_tokens: int, temperature: float, held: WorkerSettings | None = None
    ) -> None:
        """Freeze `model`; micro batches hold at most `micro_tokens` tokens, and `temperature` is the rollout's."""
        held = held or WorkerSettings()
        self.ranks = Ranks.here(held.sequence_parallel)
        self.model = model.requires_grad_(False)
        prepare(model, held, self.ranks)
        self.micro_tokens = micro_tokens
        self.temperature = temperature

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `reference` (nats), `[A]`, float64."""
        found = logprobs(self.model, self.ranks, unlearned(batch), self.micro_tokens, self.temperature)
        return batch.noted(reference=found)


class AdaptedReference:
    """Notes `reference` from the policy itself, where adapters are all that it learns: without them it is the first."""

    def __init__(self, policy: PolicyWorker) -> None:
        """Compute with the model of `policy`."""
        self.policy = policy

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `reference` (nats), `[A]`, float64."""
        with without_adapters(self.policy.model):
            return batch.noted(reference=self.policy.logprobs(unlearned(batch)))
