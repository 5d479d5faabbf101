"""Runs whose workers live in actors: the same numbers as in this process, whatever dies, and nothing is left."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from agent_rl import train
from agent_rl.config import compose, validate
from agent_rl.core.message import assistant, user
from agent_rl.core.trajectory import Group
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.trainer.cluster.actors import RayCluster
from agent_rl.trainer.cluster.inline import InlineCluster
from agent_rl.trainer.cluster.remote import RemotePolicy
from agent_rl.trainer.settings import TrainConfig

from ..conftest import trajectory
from ..reward_models import save_reward_model

pytestmark = pytest.mark.slow
SIZE = ["env=search", "trainer.tasks=3", "trainer.steps=2", "eval.tasks=0", "rollout.limits.turns=3"]
WORDS = [*SIZE, "algorithm=ppo", "value.warmup=0", "algorithm.samples=4", "algorithm.kl.coefficient=0.1"]
TIMES = ("seconds/", "speed/", "memory/")


def numbers(run: Path) -> list[dict[str, Any]]:
    lines = read_metrics(run / "metrics.jsonl")
    return [{key: value for key, value in line.items() if not key.startswith(TIMES)} for line in lines]


def assert_same(one: Path, other: Path) -> None:
    assert numbers(one) == numbers(other) and len(numbers(one)) == 2
    learned = "learned/step_000002.npz"
    assert (one / learned).read_bytes() == (other / learned).read_bytes()
    last = "checkpoints/step_000002"
    assert (one / last / "model.safetensors").read_bytes() == (other / last / "model.safetensors").read_bytes()
    for name in ("trainer.pt", "value.pt"):
        assert_equal(*(torch.load(run / last / name, weights_only=True) for run in (one, other)))


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


@pytest.fixture(scope="module")
def inline(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inline") / "run"
    train(*WORDS, f"out={folder}")
    assert any(line["policy/grad_norm"] and line["value/grad_norm"] for line in numbers(folder))
    return folder


def test_one_rank_has_the_numbers_of_a_run_in_this_process(ray, inline, tmp_path):
    train(*WORDS, "cluster=ray", "cluster.apart=reference", f"out={tmp_path / 'run'}")
    assert_same(inline, tmp_path / "run")


TOGETHER = ["worker.sequence_parallel=2", "trainer.async_checkpoints=true"]


@pytest.mark.parametrize("words", [[], TOGETHER], ids=["each its samples", "each its tokens"])
def test_two_ranks_share_the_work_of_all_workers_and_agree_with_one(ray, inline, tmp_path, words):
    train(*WORDS, *words, "cluster=ray", "cluster.ranks=2", f"out={tmp_path / 'run'}")
    for ours, alone in zip(numbers(tmp_path / "run"), numbers(inline), strict=True):
        assert ours == pytest.approx(alone, rel=1e-3, abs=1e-5)
    last = "checkpoints/step_000002/model.safetensors"
    ours, alone = (load_file(run / last) for run in (tmp_path / "run", inline))
    assert ours.keys() == alone.keys()
    for name, tensor in ours.items():
        assert (tensor - alone[name]).norm() < 1e-5 * alone[name].norm()


def test_a_reward_model_apart_says_what_it_says_in_this_process(ray, tmp_path):
    model = save_reward_model(tmp_path / "model")
    words = ["reward_model=scalar", f"reward_model.path={model}", "cluster=ray", "cluster.apart=reward_model"]
    config = validate(TrainConfig, compose("train", ["model.device=cpu", *words]))
    cluster, found = RayCluster(ray, config, config.cluster), []
    try:
        for team in (InlineCluster(config).team(None), cluster.team(None)):
            said = trajectory(random.Random(0), 1.0)
            said.messages = [user("Where is it?"), assistant("Here.")]
            (group,), metrics = team.judge([Group("t", [said])])
            found.append((said.components, group.rewards, metrics["reward_model/mean"]))
    finally:
        cluster.close()
    assert found[0] == found[1] and found[0][1] == [1.0 + found[0][2]]


def test_a_run_whose_actor_was_killed_ends_as_if_it_had_lived(ray, inline, tmp_path, monkeypatch, caplog, capfd):
    update, killed = RemotePolicy.update, list[int]()

    def interrupted(self: RemotePolicy, *arguments: Any, **options: Any) -> dict[str, float]:
        if self.updates == 3 and not killed:  # in the middle of the second step
            killed.append(self._pool.places[0].pid)
            os.kill(killed[0], signal.SIGKILL)
        return update(self, *arguments, **options)

    monkeypatch.setattr(RemotePolicy, "update", interrupted)
    train(*WORDS, "cluster=ray", f"out={tmp_path / 'run'}")
    assert_same(inline, tmp_path / "run")
    (said,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    line = (
        rf"rank 0 of policy \(process {killed[0]} on [\d.]+\) died in policy.update; "
        r"the run goes on from its newest checkpoint \(restart 1 of 3\)"
    )
    assert re.fullmatch(line, said)
    assert "worker died" not in "".join(capfd.readouterr())


def test_an_interrupt_leaves_no_process_and_no_file_of_ray(ray, tmp_path):
    run = tmp_path / "run"
    there = set(Path("/tmp").glob("agent_rl-*"))  # among them that of these tests, which goes on
    words = [*SIZE, "algorithm.samples=4", "trainer.steps=500", "cluster=ray", f"out={run}"]
    command = [sys.executable, "-m", "agent_rl.cli", "train", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not read_metrics(run / "metrics.jsonl"):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        own = [folder for folder in set(Path("/tmp").glob("agent_rl-*")) - there if processes_in(folder)]
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert f"agent-rl train resume={run}" in output and "Traceback" not in output
    assert own and not any(folder.exists() or processes_in(folder) for folder in own)
    assert ray.cluster_resources()["CPU"] == 4.0


def processes_in(folder: Path) -> list[str]:
    """Return the processes that work with a folder."""
    found = []
    for said in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in said.read_bytes():
                found.append(said.parent.name)
        except OSError:
            continue
    return found
