"""The checkpoints of a run as it goes on: written within their steps, or behind the steps that follow."""

import copy
import json
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from agent_rl.core.files import storing
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.checkpoints import (
    Worker,
    begin_checkpoint,
    commit_checkpoint,
    complete_checkpoint,
    prepare_checkpoint,
)
from agent_rl.trainer.saving import Errand

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05


class CheckpointWriter:
    """Prepares a checkpoint, and commits it when the metrics of its step are on the disk.

    With `behind`, preparing copies what the workers hold, and a thread writes it and gives it its name when it is
    whole. One is under way at most: the next one waits for it. Metrics may thus be ahead of checkpoints by some steps,
    but never the other way round. What a resumed run finds of later steps it drops, as always.
    """

    def __init__(self, folder: RunFolder, tokenizer: PreTrainedTokenizerBase, keep: int, behind: bool) -> None:
        """Write into `folder`, with `tokenizer` in each checkpoint, and keep the newest `keep`."""
        self._folder, self._keep, self._behind = folder, keep, behind
        # The thread has one of its own: to write one that encodes at the same moment is an error.
        self._tokenizer = copy.deepcopy(tokenizer) if behind else tokenizer
        self._prepared: tuple[Path, Sequence[Worker], dict[str, Any]] | None = None
        self._errand: Errand | None = None

    def prepare(self, step: int, workers: Sequence[Worker], feed: dict[str, Any]) -> None:
        """Write, or copy, what the checkpoint of `step` holds: the state of `workers`, and where the rollouts stand.

        Raises:
            StorageError: It, or the one before, cannot be written.
        """
        if not self._behind:
            work = prepare_checkpoint(self._folder, step, workers, self._tokenizer, feed)
        else:
            self.wait()
            work = begin_checkpoint(self._folder, step, workers)
            feed = json.loads(json.dumps(feed))  # which goes on meanwhile
        self._prepared = work, workers, feed

    def commit(self) -> None:
        """Give what was prepared, if anything was, its name; `behind`: as soon as it is whole."""
        if self._prepared is None:
            return
        (work, workers, feed), self._prepared = self._prepared, None
        if self._behind:
            self._errand = Errand(lambda: self._complete(work, workers, feed))
        else:
            commit_checkpoint(work, self._keep)

    def check(self) -> None:
        """Do nothing, if all goes well.

        Raises:
            StorageError: A checkpoint cannot be written.
        """
        if self._errand is not None and not self._errand.running:
            self.wait()

    def wait(self) -> None:
        """Wait until what was committed has its name.

        Raises:
            StorageError: It cannot be written.
        """
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.wait()

    def close(self) -> None:
        """Wait likewise, when something else has gone wrong already: it is worth a warning then."""
        try:
            self.wait()
        except Exception as error:
            logger.warning("the last checkpoint was not written: %s", error)

    def _complete(self, work: Path, workers: Sequence[Worker], feed: dict[str, Any]) -> None:
        try:
            with storing(work):
                while not all(worker.saved() for worker in workers):
                    time.sleep(_LOOK_SECONDS)
                complete_checkpoint(work, self._tokenizer, feed)
                commit_checkpoint(work, self._keep)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
