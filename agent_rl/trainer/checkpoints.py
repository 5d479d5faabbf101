"""Checkpoints: complete or not there at all, in Hugging Face format, with the trainer's state beside."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from transformers import PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.files import StorageError, read_json, storing, write_json_atomic
from agent_rl.core.manifest import newest_whole, seal
from agent_rl.tracking.run_folder import RunFolder

_FEED = "rollouts.json"
ADAPTERS = "adapter"
"""The folder in a checkpoint where a model's adapters lie, if it has any."""


class Worker(Protocol):
    """What learns, and has a state that a resumed run goes on from."""

    skipped: int
    """Updates that were skipped because a loss or gradient was not finite."""

    def save(self, folder: Path, behind: bool = False) -> None:
        """Write the state into `folder`; `behind`: copy it now, and write it while other calls are made."""
        ...

    def saved(self) -> bool:
        """Return whether all that was to be written behind is written; any thread may ask.

        Raises:
            Exception: What kept it from being written.
        """
        ...

    def load(self, folder: Path) -> None:
        """Restore the state from a checkpoint.

        Raises:
            UserError: It is missing or damaged.
        """
        ...


def prepare_checkpoint(
    folder: RunFolder, step: int, workers: Sequence[Worker], tokenizer: PreTrainedTokenizerBase, feed: dict[str, Any]
) -> Path:
    """Write the checkpoint of `step` (steps done) beside its place and return where; `commit_checkpoint` moves it.

    `feed` is where the rollouts stand, so that a resumed run loses no task.

    Raises:
        StorageError: It cannot be written, and what there was of it is gone.
    """
    work = begin_checkpoint(folder, step, workers, behind=False)
    with _gone_on_failure(work):
        complete_checkpoint(work, tokenizer, feed)
    return work


def begin_checkpoint(folder: RunFolder, step: int, workers: Sequence[Worker], behind: bool = True) -> Path:
    """Let the workers write their part of the checkpoint of `step`, or begin to write it `behind`; return where.

    Raises:
        StorageError: It cannot be written, and what there was of it is gone.
    """
    work = folder.checkpoints / f".step_{step:06d}"
    shutil.rmtree(work, ignore_errors=True)
    with _gone_on_failure(work):
        work.mkdir(parents=True)
        for worker in workers:
            worker.save(work, behind)
    return work


def complete_checkpoint(work: Path, tokenizer: PreTrainedTokenizerBase, feed: dict[str, Any]) -> None:
    """Write what a checkpoint holds beside the workers' part, and that it is all."""
    tokenizer.save_pretrained(work)
    write_json_atomic(work / _FEED, feed)
    seal(work)


@contextmanager
def _gone_on_failure(work: Path) -> Iterator[None]:
    try:
        with storing(work):
            yield
    except StorageError:
        shutil.rmtree(work, ignore_errors=True)
        raise


def commit_checkpoint(work: Path, keep: int) -> Path:
    """Give a prepared checkpoint its name, in one step, and remove all but the newest `keep`.

    A process that is killed before leaves the checkpoints that were there; one that is killed after has this one.
    """
    final = work.parent / work.name.removeprefix(".")
    shutil.rmtree(final, ignore_errors=True)
    work.rename(final)
    for old in sorted(work.parent.glob("step_*"))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def newest_checkpoint(folder: RunFolder) -> tuple[Path, int] | None:
    """Return the newest checkpoint that is whole and its step, or None where the run has none yet.

    Raises:
        UserError: It has some, and all are damaged: to begin anew would throw away what was trained.
    """
    found = newest_whole(folder.checkpoints)
    if found is None:
        if any(folder.checkpoints.glob("step_*")):
            raise UserError(f"every checkpoint in {folder.checkpoints} is damaged; remove them to begin anew")
        return None
    return found, int(found.name.removeprefix("step_"))


def load_workers(checkpoint: Path, workers: Sequence[Worker]) -> None:
    """Restore the state of all workers; the policy's model has been loaded from the checkpoint already.

    Raises:
        UserError: A state is missing or damaged.
    """
    for worker in workers:
        worker.load(checkpoint)


def feed_state(checkpoint: Path) -> dict[str, Any]:
    """Return where the rollouts stood at a checkpoint."""
    return read_json(checkpoint / _FEED)
