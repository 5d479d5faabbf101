"""Workers note what an algorithm needs of every trained token, before its advantages are computed; some learn along."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agent_rl.models.loading import load_model
from agent_rl.trainer.algorithms import Batch
from agent_rl.trainer.batches import Sample
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.workers import ValueWorker


class Annotator(Protocol):
    """A worker that notes something."""

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with what the worker has computed of it."""
        ...


class Learner(Annotator, Protocol):
    """A worker beside the policy that learns what the estimator says in `targets`."""

    def update(self, batch: Sequence[Sample], updates: int) -> dict[str, float]:
        """Learn from a mini batch, one of `updates` in the whole run, and return the metrics."""
        ...

    def save(self, folder: Path) -> None:
        """Write the worker's state into a checkpoint."""
        ...

    def load(self, folder: Path) -> None:
        """Restore the worker's state from a checkpoint."""
        ...


def make_learners(config: TrainConfig) -> list[Learner]:
    """Return the workers that the algorithm needs and that learn, as they are before the first step."""
    made: list[Learner] = []
    if config.value is not None:
        begins_with = config.model.model_copy(update={"path": config.value.model or config.model.path})
        made.append(ValueWorker(load_model(begins_with)[0], config.value, config.trainer.micro_tokens))
    return made


def annotate(batch: Batch, annotators: Sequence[Annotator]) -> Batch:
    """Return the batch with the notes of all workers."""
    for worker in annotators:
        batch = worker.annotate(batch)
    return batch
