"""A run that was killed at any moment ends as the run that was not, number for number."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from agent_rl.cli.main import main
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.jsonl import read_metrics
from tests.commands import Command

SIZE = ["trainer.tasks=3", "algorithm.samples=4", "eval.tasks=8", "rollout.limits.turns=3", "engine.rows=7"]
KILLS = int(os.environ.get("AGENT_RL_KILLS", "3"))  # make test-soak has more
TIMES = ("seconds/", "speed/", "memory/")


def start(*words: str) -> Command:
    return Command("train", *words, merged=True)


def finish(*words: str) -> str:
    process = start(*words)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def kill_when(reached: Callable[[], bool], *words: str) -> None:
    process = start(*words)
    deadline = time.monotonic() + 600
    while not reached():
        assert process.poll() is None, process.communicate()[0]
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError("the run did not come that far")
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def numbers(run: Path) -> list[dict[str, Any]]:
    lines = read_metrics(run / "metrics.jsonl")
    return [{key: value for key, value in line.items() if not key.startswith(TIMES)} for line in lines]


def tokens(run: Path) -> dict[str, list[tuple[list[int], list[float]]]]:
    files = sorted((run / "trajectories").glob("*.zst")) + sorted((run / "evaluations").glob("*/*.zst"))
    return {
        str(file.relative_to(run)): [(t.tokens, t.action_logprobs) for t in read_trajectories(file)] for file in files
    }


def figures(run: Path) -> dict[str, Any]:
    found = {}
    for file in (run / "evaluations").glob("*/results.json"):
        found[file.parent.name] = results = json.loads(file.read_text())
        for metrics in (results["metrics"], *(part for values in results["by"].values() for part in values.values())):
            del metrics["seconds"]
    return found


@pytest.fixture(scope="module")
def timed(tmp_path_factory) -> tuple[Path, float]:
    run, begun = tmp_path_factory.mktemp("whole") / "run", time.monotonic()
    finish(*SIZE, "trainer.steps=6", f"out={run}")
    return run, time.monotonic() - begun


@pytest.fixture(scope="module")
def whole(timed) -> Path:
    return timed[0]


@pytest.fixture(scope="module")
def seconds(timed) -> float:
    return timed[1]


def assert_same(one: Path, other: Path) -> None:
    assert numbers(one) == numbers(other)
    assert tokens(one) == tokens(other)
    assert figures(one) == figures(other)
    for file in (one / "learned").iterdir():
        assert file.read_bytes() == (other / "learned" / file.name).read_bytes()
    last = "checkpoints/step_000006/model.safetensors"
    assert (one / last).read_bytes() == (other / last).read_bytes()


@pytest.mark.slow
def test_the_same_run_twice_is_the_same_run(whole, tmp_path):
    finish(*SIZE, "trainer.steps=6", f"out={tmp_path / 'run'}")
    assert_same(whole, tmp_path / "run")


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_if_it_had_never_been(whole, tmp_path):
    run = tmp_path / "run"

    def lines() -> int:
        return len(read_metrics(run / "metrics.jsonl")) if (run / "metrics.jsonl").exists() else 0

    kill_when(
        lambda: (run / "evaluations" / "before" / "results.json").exists(), *SIZE, "trainer.steps=6", f"out={run}"
    )
    kill_when(lambda: lines() >= 2, f"resume={run}")
    kill_when(lambda: any((run / "checkpoints").glob(".step_*4")), f"resume={run}")  # while a checkpoint is written
    kill_when(lambda: (run / "evaluations" / "after" / "results.json").exists(), f"resume={run}")
    finish(f"resume={run}")
    assert_same(whole, run)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["steps"] == 6


@pytest.mark.slow
def test_a_run_killed_while_checkpoints_are_written_behind_it_ends_as_if_it_had_never_been(whole, tmp_path):
    run = tmp_path / "run"
    checkpoints = run / "checkpoints"
    words = [*SIZE, "trainer.steps=6", "trainer.async_checkpoints=true", f"out={run}"]
    for number in (2, 4):
        kill_when(lambda number=number: any(checkpoints.glob(f".step_*{number}/*.safetensors")), *words)
        words = [f"resume={run}"]
    kill_when(lambda: (run / "evaluations" / "after" / "results.json").exists(), *words)
    assert {path.name for path in checkpoints.iterdir()} == {"step_000005", "step_000006"}
    finish(*words)
    assert_same(whole, run)


@pytest.mark.slow
def test_a_truncated_checkpoint_is_noticed_and_the_one_before_it_used(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    os.truncate(run / "checkpoints" / "step_000006" / "model.safetensors", 1000)
    (run / "summary.json").unlink()
    for evaluation in (run / "evaluations").glob("after*"):
        shutil.rmtree(evaluation)
    said = finish(f"resume={run}")
    assert "step_000006 is damaged and passed over: model.safetensors has 1000 of" in said
    assert_same(whole, run)
    for checkpoint in (run / "checkpoints").glob("step_*"):
        (checkpoint / "trainer.pt").unlink()
    (run / "summary.json").unlink()
    process = start(f"resume={run}")
    assert "is damaged; remove them to begin anew" in process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert numbers(run) == numbers(whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_killed_at_any_moment_ends_as_if_it_had_never_been(whole, seconds, tmp_path, number):
    run, at = tmp_path / "run", Random(number).uniform(0.0, seconds)
    words = [*SIZE, "trainer.steps=6", f"out={run}"] + ["trainer.async_checkpoints=true"] * (number % 2)
    process = start(*words)
    try:
        process.wait(at)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    if (run / "summary.json").exists():  # it was faster than the whole one
        return assert_same(whole, run)
    finish(*([f"resume={run}"] if (run / "run.json").exists() else words))
    assert_same(whole, run)


@pytest.mark.slow
def test_a_half_written_metrics_line_and_leftovers_do_no_harm(whole, tmp_path):
    run = tmp_path / "run"
    finish(*SIZE, "trainer.steps=6", "trainer.checkpoint_every=4", f"out={run}")
    (run / "summary.json").unlink()
    for leftover in ("checkpoints/step_000006/model.safetensors", "checkpoints/step_000006"):
        path = run / leftover
        path.unlink() if path.is_file() else [f.unlink() for f in path.iterdir()] and path.rmdir()
    (run / "checkpoints" / ".step_000005").mkdir()
    for evaluation in (run / "evaluations").glob("after*"):
        shutil.rmtree(evaluation)
    with (run / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 7, "reward/me')
    finish(f"resume={run}")
    assert numbers(run) == numbers(whole)


@pytest.mark.slow
def test_a_run_killed_between_a_checkpoint_and_its_evaluation_evaluates_all_the_same(tmp_path):
    run, words = tmp_path / "run", [*SIZE, "eval.every=1", "eval.tasks=2"]
    finish(*words, "trainer.steps=3", f"out={run}")
    before = figures(run)
    (run / "summary.json").unlink()
    for gone in (f"evaluations/{name}" for name in before if not name.startswith("before")):
        shutil.rmtree(run / gone)
    shutil.rmtree(run / "checkpoints" / "step_000003")
    (run / "evaluations" / "step_000003").mkdir()
    (run / "evaluations" / "step_000003" / "results.json").write_text("{}")  # of weights that will not be again
    finish(f"resume={run}")
    del before["step_000001"]
    assert figures(run) == before


@pytest.mark.slow
def test_a_complete_run_says_so_instead_of_training_nothing(whole, capsys):
    assert main(["train", f"resume={whole}"]) != 0
    assert "is complete (6 steps)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_complete_run_can_be_made_longer(whole, tmp_path, capsys):
    run = tmp_path / "run"
    finish(*SIZE, "trainer.steps=4", f"out={run}")
    finish(f"resume={run}", "trainer.steps=6")
    assert numbers(run) == numbers(whole)


@pytest.mark.slow
def test_a_resumed_run_keeps_its_settings(whole, capsys):
    assert main(["train", f"resume={whole}", "optimizer.lr=0.1"]) != 0
    assert "optimizer.lr was 0.0003 and is 0.1 now" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_never_work_in_one_folder(tmp_path):
    run = tmp_path / "run"
    first = start(*SIZE, "trainer.steps=50", f"out={run}")
    try:
        while not (run / "evaluations" / "before" / "results.json").exists():
            assert first.poll() is None
            time.sleep(0.01)
        second = start(f"resume={run}")
        output, _ = second.communicate(timeout=600)
        assert second.returncode != 0
        assert "another process is working" in output
    finally:
        first.kill()
        first.wait()


@pytest.mark.slow
def test_an_interrupt_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    process = start(*SIZE, "trainer.steps=50", f"out={run}")
    while not (run / "metrics.jsonl").exists() or not read_metrics(run / "metrics.jsonl"):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 130, output
    assert f"agent-rl train resume={run}" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_the_value_model_as_it_was(tmp_path):
    words = [*SIZE, "algorithm=ppo", "eval.tasks=0", "trainer.checkpoint_every=4"]
    finish(*words, "trainer.steps=4", f"out={tmp_path / 'whole'}")
    finish(*words, "trainer.steps=2", f"out={tmp_path / 'run'}")
    finish(f"resume={tmp_path / 'run'}", "trainer.steps=4")
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")
    assert tokens(tmp_path / "run") == tokens(tmp_path / "whole")
    lasts = [tmp_path / name / "checkpoints" / "step_000004" for name in ("run", "whole")]
    assert len({(last / "model.safetensors").read_bytes() for last in lasts}) == 1
    ones, others = (torch.load(last / "value.pt", weights_only=True) for last in lasts)
    assert ones["updates"] == others["updates"] == 8
    assert all(torch.equal(ones["model"][name], others["model"][name]) for name in ones["model"])


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_its_curriculum_and_its_greedy_episodes(tmp_path):
    words = [*SIZE, "algorithm=remax", "rollout.curriculum.order=learnable", "rollout.curriculum.by=hops"]
    words += ["eval.tasks=0", "trainer.checkpoint_every=4"]
    finish(*words, "trainer.steps=4", f"out={tmp_path / 'whole'}")
    finish(*words, "trainer.steps=2", f"out={tmp_path / 'run'}")
    finish(f"resume={tmp_path / 'run'}", "trainer.steps=4")
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")
    assert tokens(tmp_path / "run") == tokens(tmp_path / "whole")
    files = [sorted((tmp_path / name / "beside").glob("*.zst")) for name in ("run", "whole")]
    greedy = [[(t.tokens, t.action_logprobs) for file in part for t in read_trajectories(file)] for part in files]
    assert greedy[0] == greedy[1] and len(greedy[0]) == 4 * 3
