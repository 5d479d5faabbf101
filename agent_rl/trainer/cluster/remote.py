"""Workers that live in the ranks of a pool, as the loop sees them: like workers of this process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from agent_rl.trainer.algorithms import AlgorithmSettings, Batch
from agent_rl.trainer.batches import Sample
from agent_rl.trainer.cluster.pool import Pool
from agent_rl.trainer.cluster.rank import Bucket, Reply
from agent_rl.trainer.workers.judging import Conversation, Judgement

BUCKET_BYTES = 64 * 2**20
"""Weights that travel at once; the next ones are gathered meanwhile."""


class RemoteAnnotator:
    """A worker that notes something."""

    def __init__(self, pool: Pool, name: str) -> None:
        """Be the worker `name` of a pool."""
        self._pool, self._name = pool, name

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with what the worker has computed of it."""
        return batch.noted(**self._call("annotate", batch))

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        return self._pool.call(self._name, method, *arguments, **options).value


class RemoteJudge:
    """The worker that holds the reward model."""

    def __init__(self, pool: Pool, name: str) -> None:
        """Be the worker `name` of a pool."""
        self._pool, self._name = pool, name

    def judge(self, conversations: Sequence[Conversation]) -> list[Judgement]:
        """Return what it says of each conversation."""
        said: list[Judgement] = self._pool.call(self._name, "judge", conversations).value
        return said


class RemoteLearner(RemoteAnnotator):
    """A worker that learns.

    Attributes:
        updates: Its updates by now, one that goes on included.
        skipped: Those that were skipped.
    """

    def __init__(self, pool: Pool, name: str) -> None:
        """Be the worker `name` of a pool."""
        super().__init__(pool, name)
        self.updates, self.skipped = 0, 0
        self._count(pool.counted[name])

    def update(self, batch: Sequence[Sample], *arguments: Any, **options: Any) -> dict[str, float]:
        """Learn from a mini batch and return the metrics."""
        self.updates += 1  # from now on the weights are no more what they were
        metrics: dict[str, float] = self._call("update", batch, *arguments, **options)
        return metrics

    def save(self, folder: Path, behind: bool = False) -> None:
        """Write the state into `folder`, which the ranks see under the same path."""
        self._call("save", folder.absolute(), behind)

    def saved(self) -> bool:
        """Return whether all that was to be written behind is written; another thread than the loop's may ask."""
        written: bool = self._pool.call(self._name, "saved").value  # the counts are the loop's
        return written

    def load(self, folder: Path) -> None:
        """Restore the state from a checkpoint.

        Raises:
            UserError: It is missing or damaged.
        """
        self._call("load", folder.absolute())

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        reply = self._pool.call(self._name, method, *arguments, **options)
        self._count(reply)
        return reply.value

    def _count(self, reply: Reply) -> None:
        self.updates, self.skipped = reply.updates or 0, reply.skipped or 0


class RemotePolicy(RemoteLearner):
    """The policy's worker."""

    def update(
        self, batch: Sequence[Sample], algorithm: AlgorithmSettings, updates: int, measure: bool = False
    ) -> dict[str, float]:
        """Take one optimizer step on a mini batch, one of `updates` in the whole run, and return its metrics."""
        return super().update(batch, algorithm, updates, measure=measure)

    def computed(self) -> Tensor:
        """Return the log-probabilities of the trained tokens of the last update's batch, `[A]`; NaN of others."""
        found: Tensor = self._call("computed")
        return found

    def weights(self, version: int, tokenizer: PreTrainedTokenizerBase | None = None) -> "RemoteWeights":
        """Return the weights as they are now, as `version`, for the engine."""
        return RemoteWeights(version, self._pool, self._name, self, self.updates, tokenizer)


@dataclass(frozen=True)
class RemoteWeights:
    """A version of the weights of a worker in a pool."""

    version: int
    pool: Pool
    name: str
    worker: RemotePolicy
    updates: int
    tokenizer: PreTrainedTokenizerBase | None

    @property
    def current(self) -> bool:
        """Whether the worker has not been trained further since."""
        return self.worker.updates == self.updates

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every weight with its Hugging Face name, a copy in this process; at most two buckets are under way."""
        self.pool.rank_call("begin_weights", self.name)
        coming = self.pool.begin("next_weights", BUCKET_BYTES)
        while True:
            bucket: Bucket | None = self.pool.end(coming, "the sending of weights")
            if bucket is None:
                return
            coming = self.pool.begin("next_weights", BUCKET_BYTES)
            yield from bucket.tensors()

    def save(self, folder: Path) -> None:
        """Write the model, and the tokenizer if there is one, into a folder that the ranks see under the same path."""
        self.pool.rank_call("save_weights", self.name, folder.absolute())
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)
