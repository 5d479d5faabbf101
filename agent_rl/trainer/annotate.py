"""Workers note what an algorithm needs of every trained token, before its advantages are computed; some learn along."""

from collections.abc import Sequence
from typing import Protocol

from agent_rl.models.loading import load_model
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.algorithms.kl import k3
from agent_rl.trainer.batches import Sample
from agent_rl.trainer.checkpoints import Worker
from agent_rl.trainer.mismatch import mismatch
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.workers import PolicyWorker, ProcessWorker, ReferenceWorker, ValueWorker


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
        made.append(ValueWorker(load_model(begins_with)[0], config.value, config.trainer.micro_tokens))
    if config.process is not None:
        model, temperature = load_model(config.model)[0], config.sampling.temperature
        made.append(ProcessWorker(model, config.process, config.trainer.micro_tokens, temperature))
    return made


def make_annotators(config: TrainConfig, policy: PolicyWorker, learners: Sequence[Learner]) -> list[Annotator]:
    """Return the workers that note what the algorithm needs.

    The reference is the run's first model, also in a run that is resumed from a later one.
    """
    needs, made = config.algorithm.needs, list[Annotator]()
    if "old" in needs:
        made.append(policy)
    if "reference" in needs:
        first = load_model(config.model)[0]
        made.append(ReferenceWorker(first, config.trainer.micro_tokens, config.sampling.temperature))
    return [*made, *learners]


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
