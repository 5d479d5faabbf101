"""Workers note what an algorithm needs of every trained token, before its advantages are computed; some learn along."""

from collections.abc import Sequence
from typing import Protocol

from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.algorithms.kl import k3
from agent_rl.trainer.batches import Sample
from agent_rl.trainer.checkpoints import Worker
from agent_rl.trainer.mismatch import mismatch
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.sharding import load_for_ranks
from agent_rl.trainer.workers import AdaptedReference, PolicyWorker, ProcessWorker, ReferenceWorker, ValueWorker


class Annotator(Protocol):
    """A worker that notes something."""

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with what the worker has computed of it."""
        ...


class Learner(Annotator, Worker, Protocol):
    """A worker beside the policy that learns what the estimator says in `targets`."""

    def update(self, batch: Sequence[Sample], updates: int) -> dict[str, float]:
        """Learn from a mini batch, one of `updates` in the whole run, and return the metrics."""
        ...


def make_learners(config: TrainConfig) -> list[Learner]:
    """Return the workers that the algorithm needs and that learn, as they are before the first step."""
    made: list[Learner] = []
    if config.value is not None:
        begins_with = config.model.model_copy(update={"path": config.value.model or config.model.path})
        model, _ = load_for_ranks(begins_with)
        made.append(ValueWorker(model, config.value, config.trainer.micro_tokens, config.worker))
    if config.process is not None:
        model, _ = load_for_ranks(config.model)
        micro_tokens, temperature = config.trainer.micro_tokens, config.sampling.temperature
        made.append(ProcessWorker(model, config.process, micro_tokens, temperature, config.worker))
    return made


def make_references(config: TrainConfig, policy: PolicyWorker | None) -> list[Annotator]:
    """Return the workers that the algorithm needs and that never learn.

    The reference is the run's first model, also in a run that is resumed from a later one: where the policy learns
    adapters, and lives here too, itself without them.
    """
    if "reference" not in config.algorithm.needs:
        return []
    if config.lora is not None and policy is not None:
        return [AdaptedReference(policy)]
    first, _ = load_for_ranks(config.model)
    return [ReferenceWorker(first, config.trainer.micro_tokens, config.sampling.temperature, config.worker)]


def annotate(batch: Batch, annotators: Sequence[Annotator]) -> Batch:
    """Return the batch with the notes of all workers."""
    for worker in annotators:
        batch = worker.annotate(batch)
    return batch


def noted_metrics(batch: Batch) -> dict[str, float]:
    """Return what the notes say of a step before anything is learned from it; nothing of those that are not there."""
    metrics: dict[str, float] = {}
    if not len(batch.turns):
        return metrics
    if "old" in batch.notes:
        gap = batch.notes["old"] - batch.engine_logprobs
        sampled = gap[batch.by_episode(batch.guided) == 0]
        metrics |= mismatch(sampled) if len(sampled) else {}
    if "reference" in batch.notes:
        metrics["policy/reference_kl"] = float(k3(batch.old_logprobs - batch.notes["reference"]).mean())
    if "correction" in batch.notes:
        metrics["correction/weight_mean"] = float(batch.notes["correction"].mean())
        metrics["correction/masked"] = float((batch.notes["correction"] == 0).double().mean())
    if "successful" in batch.notes:
        metrics["supervised/share"] = float(batch.notes["successful"].mean())
    return metrics
