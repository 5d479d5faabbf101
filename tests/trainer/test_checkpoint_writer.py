"""Checkpoints that are written behind the steps: the state of their moment, whole or not there, errors told."""

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from agent_rl.core.files import StorageError
from agent_rl.core.manifest import damage
from agent_rl.models import attention
from agent_rl.models.loading import SHIPPED, load_tokenizer
from agent_rl.models.scratch import new_model
from agent_rl.models.settings import ModelSettings
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.algorithms.values import ValueSettings
from agent_rl.trainer.checkpoint_writer import CheckpointWriter
from agent_rl.trainer.checkpoints import feed_state, newest_checkpoint
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.workers import PolicyWorker, ValueWorker

from .conftest import VOCABULARY


class SlowWorker:
    """Writes a file when it is let, or fails."""

    def __init__(self) -> None:
        self.skipped = 0
        self.may = threading.Event()
        self.failure: Exception | None = None

    def save(self, folder: Path, behind: bool = False) -> None:
        self._file = folder / "state"
        if not behind:
            self._file.write_text("now")

    def saved(self) -> bool:
        if self.failure is not None:
            raise self.failure
        if self.may.is_set():
            self._file.write_text("behind")
        return self.may.is_set()

    def load(self, folder: Path) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(ModelSettings(path=str(SHIPPED)))


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def writer(folder: RunFolder, tokenizer: PreTrainedTokenizerBase, behind: bool = True) -> CheckpointWriter:
    return CheckpointWriter(folder, tokenizer, keep=2, behind=behind)


def names(folder: RunFolder) -> list[str]:
    return sorted(path.name for path in folder.checkpoints.iterdir())


def flat(state: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in state.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return {key: value for key, value in found.items() if not isinstance(value, list)}


def test_a_step_goes_on_while_its_checkpoint_is_written_and_the_next_one_waits(folder, tokenizer):
    checkpoints, worker, feed = writer(folder, tokenizer), SlowWorker(), {"next": [3]}
    checkpoints.prepare(1, [worker], feed)
    checkpoints.commit()
    checkpoints.check()
    feed["next"].append(4)
    assert names(folder) == [".step_000001"] and newest_checkpoint(folder) is None
    timer = threading.Timer(0.2, worker.may.set)
    timer.start()
    checkpoints.prepare(2, [worker], feed)
    assert worker.may.is_set() and names(folder) == [".step_000002", "step_000001"]
    assert feed_state(folder.checkpoints / "step_000001") == {"next": [3]}
    checkpoints.commit()
    checkpoints.wait()
    assert newest_checkpoint(folder) == (folder.checkpoints / "step_000002", 2)
    checkpoints.close()


@pytest.mark.parametrize("behind", [False, True])
def test_what_is_whole_has_no_name_before_the_metrics_are_there(folder, tokenizer, behind):
    checkpoints, worker = writer(folder, tokenizer, behind), SlowWorker()
    worker.may.set()
    checkpoints.prepare(1, [worker], {})
    checkpoints.wait()
    assert names(folder) == [".step_000001"]
    checkpoints.commit()
    checkpoints.wait()
    assert names(folder) == ["step_000001"] and damage(folder.checkpoints / "step_000001") is None


def test_both_ways_leave_the_same_files_and_the_newest_are_kept(folder, tokenizer):
    worker = SlowWorker()
    worker.may.set()
    for step, behind in enumerate([False, True, True, False], 1):
        checkpoints = writer(folder, tokenizer, behind)
        checkpoints.prepare(step, [worker], {"next": 1})
        checkpoints.commit()
        checkpoints.wait()
    assert names(folder) == ["step_000003", "step_000004"]
    one, other = ({file.name for file in path.iterdir()} for path in folder.checkpoints.iterdir())
    assert one == other


def test_what_kept_it_from_being_written_is_told_once_at_the_next_step(folder, tokenizer, caplog):
    checkpoints, worker = writer(folder, tokenizer), SlowWorker()
    worker.failure = OSError(errno.ENOSPC, "No space left on device")
    checkpoints.prepare(1, [worker], {})
    checkpoints.commit()
    with pytest.raises(StorageError, match=r"cannot write .*step_000001: No space left on device"):
        for _ in range(1000):
            checkpoints.check()
            threading.Event().wait(0.01)
    checkpoints.close()
    assert names(folder) == [] and not caplog.records


def test_behind_another_error_it_is_a_warning(folder, tokenizer, caplog):
    checkpoints, worker = writer(folder, tokenizer), SlowWorker()
    worker.failure = OSError(errno.ENOSPC, "No space left on device")
    checkpoints.prepare(1, [worker], {})
    checkpoints.commit()
    checkpoints.close()
    (record,) = caplog.records
    assert "the last checkpoint was not written: cannot write" in record.getMessage()


def test_workers_write_what_they_held_when_they_were_told_to(tmp_path):
    made = [new_model(VOCABULARY, 2, 0, seed=5, layers=1, width=16).eval() for _ in range(2)]
    for each in made:
        each.set_attn_implementation(attention.NAME)
    workers = [PolicyWorker(made[0], OptimizerSettings(), 60, 1.0), ValueWorker(made[1], ValueSettings(), 60)]
    for worker in workers:
        for parameter in worker.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        worker.optimizer.step()
    (tmp_path / "now").mkdir()
    (tmp_path / "behind").mkdir()
    for worker in workers:
        worker.save(tmp_path / "now")
        worker.save(tmp_path / "behind", behind=True)
        for parameter in worker.model.parameters():  # it goes on at once
            parameter.data.zero_()
        worker.optimizer.step()
    while not all(worker.saved() for worker in workers):
        threading.Event().wait(0.01)
    weights = [tmp_path / name / "model.safetensors" for name in ("now", "behind")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    for name in ("trainer.pt", "value.pt"):
        one, other = (flat(torch.load(tmp_path / kind / name)) for kind in ("now", "behind"))
        assert one.keys() == other.keys()
        assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one)
