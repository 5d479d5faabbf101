"""The workers of a run, side by side: the policy, those that learn beside it, and those that note what it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Group
from agent_rl.models.lora import add_adapters
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.engines.base import Weights
from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.annotate import Annotator, Learner, make_learners
from agent_rl.trainer.batches import Sample
from agent_rl.trainer.checkpoints import Worker, load_workers
from agent_rl.trainer.rewards import Rewarder
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.sharding import load_for_ranks
from agent_rl.trainer.workers import PolicyWorker


class Policy(Annotator, Worker, Protocol):
    """The policy's worker, wherever it lives."""

    def update(
        self, batch: Sequence[Sample], algorithm: AlgorithmSettings, updates: int, measure: bool = False
    ) -> dict[str, float]:
        """Take one optimizer step on a mini batch, one of `updates` in the whole run, and return its metrics."""
        ...

    def computed(self) -> Tensor:
        """Return the log-probabilities of the trained tokens of the last update's batch, `[A]`; NaN of others."""
        ...

    def weights(self, version: int, tokenizer: PreTrainedTokenizerBase | None = None) -> Weights:
        """Return the weights as they are now, as `version`, for the engine."""
        ...


@dataclass(frozen=True)
class Team:
    """The workers of a run.

    Attributes:
        policy: What is trained.
        learners: What learns beside it.
        annotators: What notes something of a batch, some of the others among them.
        model: The policy's model where an engine in this process may share it; None where it lives elsewhere.
        rewarder: What the reward model is asked by; None where there is none.
    """

    policy: Policy
    learners: Sequence[Learner]
    annotators: Sequence[Annotator]
    model: PreTrainedModel | None = None
    rewarder: Rewarder | None = None

    @property
    def workers(self) -> list[Worker]:
        """All that learn."""
        return [self.policy, *self.learners]

    def judge(self, groups: Sequence[Group]) -> tuple[Sequence[Group], dict[str, float]]:
        """Return the groups with the rewards that are to be learned from, and metrics of the reward model."""
        return self.rewarder.judge(groups) if self.rewarder else (groups, {})


def begins_with(config: TrainConfig, checkpoint: Path | None) -> ModelSettings:
    """Return the model that the policy's worker is made from: that of a checkpoint of the run, or the run's first."""
    if checkpoint is None or config.lora is not None:  # adapters are put into the first model
        return config.model
    return config.model.model_copy(update={"path": str(checkpoint)})


def make_policy(config: TrainConfig, checkpoint: Path | None) -> PolicyWorker:
    """Return the policy's worker as it was at a checkpoint, or at first."""
    model, _ = load_for_ranks(begins_with(config, checkpoint))
    if config.lora is not None:
        add_adapters(model, config.lora, derive(config.seed, "lora"))
    micro_tokens, temperature = config.trainer.micro_tokens, config.sampling.temperature
    made = PolicyWorker(model, config.optimizer, micro_tokens, temperature, config.worker)
    if checkpoint is not None:
        load_workers(checkpoint, [made])
    return made


def make_beside(config: TrainConfig, checkpoint: Path | None) -> list[Learner]:
    """Return the workers that learn beside the policy as they were at a checkpoint, or at first."""
    made = make_learners(config)
    if checkpoint is not None:
        load_workers(checkpoint, made)
    return made


def notes_of(
    config: TrainConfig, policy: Policy | None, references: Sequence[Annotator], learners: Sequence[Learner]
) -> list[Annotator]:
    """Return those of some workers that note what the algorithm needs, in that order."""
    olds = [policy] if policy is not None and "old" in config.algorithm.needs else []
    return [*olds, *references, *learners]
