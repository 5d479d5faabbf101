"""Profiles: a trace of the steps that were named, of every thread, and nothing of others."""

import gzip
import io
import json
import threading

import pytest
import rich.console
import torch

from agent_rl import train
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.tracking.console import Console
from agent_rl.trainer.profiles import profiled
from agent_rl.trainer.settings import TrainConfig


def events(file) -> dict[str, set[int]]:
    with gzip.open(file) as trace:
        found: dict[str, set[int]] = {}
        for event in json.load(trace)["traceEvents"]:
            found.setdefault(event["name"], set()).add(event.get("tid"))
        return found


def test_a_trace_is_whole_or_not_there_and_has_every_thread(tmp_path):
    said = io.StringIO()
    console = Console(rich.console.Console(file=said, width=200))
    one = torch.ones(4, 4)
    file = tmp_path / "profiles" / "step_000001.json.gz"
    worker = threading.Thread(target=lambda: (going.wait(), one @ one))
    going = threading.Event()
    worker.start()
    with profiled(file, console):
        going.set()
        worker.join()
        one @ one
    assert len(events(file)["aten::mm"]) == 2
    assert str(file) in said.getvalue().replace("\n", "")
    file.unlink()
    with pytest.raises(KeyError), profiled(file, console):
        raise KeyError
    assert not list(file.parent.iterdir())


def test_what_cannot_be_profiled_is_refused():
    for words, told in [
        (["trainer.profile=[1,31]"], "is beyond the last of 30 steps"),
        (["trainer.profile=0"], "greater than 0"),
        (["trainer.profile=2", "cluster=ray"], "use cluster=inline"),
    ]:
        with pytest.raises(UserError, match=told):
            validate(TrainConfig, compose("train", words))


@pytest.mark.slow
def test_the_named_steps_of_a_run_are_profiled(tmp_path):
    words = ["trainer.tasks=1", "algorithm.samples=2", "eval.tasks=0", "rollout.limits.turns=1", "trainer.steps=3"]
    run = train(*words, "trainer.profile=[2]", f"out={tmp_path / 'run'}")
    (file,) = (run.folder.path / "profiles").iterdir()
    assert file.name == "step_000002.json.gz"
    seen = events(file)
    assert {"rollout", "update", "weights", "record"} <= seen.keys()
    assert not seen["aten::mm"] <= seen["rollout"]  # the engine's thread
