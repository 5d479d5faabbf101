"""Training through flaky tools, full disks, interrupts and kills: what is left behind is whole and resumable."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_rl.core.outcome import Cause
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.jsonl import read_metrics
from tests.commands import Command

SIZE = ["trainer.tasks=3", "algorithm.samples=4", "eval.tasks=0", "rollout.limits.turns=3", "engine.rows=7"]
MODES = {
    "sync": ["rollout.mode=sync"],
    "oversample": ["rollout.mode=oversample", "rollout.oversample=2.0"],
    "async": ["rollout.mode=async", "rollout.staleness=2"],
}
ENVIRONMENT = '''
import itertools, time
from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import user
from agent_rl.core.outcome import InfrastructureError

CALLS = itertools.count()

class Shop(ToolEnv):
    class Settings(ToolEnv.Settings):
        failing: str = "never"
        seconds: float = 0.0

    def tasks(self, split):
        return TaskSet([Task(f"{split}-{i}", (user(f"What is the price of {i}?"),), "7") for i in range(200)], split)

    async def areset(self, **given):
        time.sleep(self.settings.seconds)
        if self.settings.failing == "always" or (self.settings.failing == "often" and next(CALLS) % 4 == 0):
            raise InfrastructureError("warehouse", "no connection")
        return await super().areset(**given)

    @tool
    def search(self, query: str) -> str:
        """Find a price."""
        return "7"

    @reward
    def length(self, answer: str) -> float:
        """Something that differs from episode to episode."""
        return len(answer) % 7 / 7
'''


@pytest.fixture
def shop(tmp_path) -> str:
    (tmp_path / "shop.py").write_text(ENVIRONMENT)
    return f"env={tmp_path / 'shop.py'}:Shop"


def start(*words: str) -> Command:
    return Command("train", *words)


def ended(process: Command) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=600)
    assert "Traceback" not in output + errors, errors
    return process.returncode, output, errors


def wait_until(reached: Callable[[], bool], process: Command) -> None:
    deadline = time.monotonic() + 600
    while not reached():
        assert process.poll() is None, process.communicate()
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError("the run did not come that far")
        time.sleep(0.002)


def steps(run: Path) -> list[int]:
    return [line["step"] for line in read_metrics(run / "metrics.jsonl")]


def learned(run: Path) -> list[tuple[int, str, int]]:
    """Return step, task and sample of every episode that the run learned from."""
    files = sorted((run / "trajectories").glob("*.zst"))
    return [(int(f.name[5:11]), t.task_id, t.sample) for f in files for t in read_trajectories(f)]


def assert_each_task_was_learned_from_once(run: Path, tasks: int) -> None:
    """Assert that the run, all of it in the first epoch, has whole groups of different tasks."""
    groups = Counter((step, task) for step, task, _ in learned(run))
    assert len(groups) == tasks and set(groups.values()) == {4}
    assert len({task for _, task in groups}) == tasks


@pytest.mark.slow
def test_a_tool_that_fails_within_the_budget_trains_on_and_says_so(shop, tmp_path):
    run = tmp_path / "run"
    status, _, errors = ended(start(*SIZE, shop, "env.failing=often", "trainer.steps=3", f"out={run}"))
    assert status == 0
    assert errors.count("attempts were repeated") == 3 and errors.count("x warehouse: no connection") == 3
    assert steps(run) == [1, 2, 3]
    every = [t for file in (run / "trajectories").iterdir() for t in read_trajectories(file)]
    assert all(t.failure is None or t.failure.cause is Cause.INFRASTRUCTURE for t in every)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_over_the_budget_training_ends_with_status_3_and_the_culprits_name(shop, tmp_path, mode):
    words = [*SIZE, *MODES[mode], shop, "env.failing=always", f"out={tmp_path / 'run'}"]
    status, _, errors = ended(start(*words))
    (line,) = errors.strip().splitlines()
    assert status == 3
    assert line.startswith("error: 12 of 12 episodes failed 3 times each, more than the budget of 10%")
    assert line.endswith("is in 'warehouse': no connection")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """Mount a disk of 6 MB: enough for some steps and not for two checkpoints."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("free", [20, 60, 4000], ids=lambda free: f"{free}kB")
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(small_disk, shop, tmp_path, free):
    run = small_disk / "run"
    words = [*SIZE, shop, "trainer.steps=40", "trainer.checkpoint_every=40", f"out={run}"]
    process = start(*words)
    wait_until(lambda: len(steps(run)) >= 2, process)
    filler = small_disk / "filler"
    left = os.statvfs(small_disk)
    filler.write_bytes(bytes(max(0, left.f_bavail * left.f_frsize - free * 1024)))
    status, _, errors = ended(process)
    (line,) = errors.strip().splitlines()
    assert status == 1
    assert line.startswith(f"error: cannot write {run}/")
    assert line.endswith(("No space left on device", "not all of it could be written"))
    done = steps(run)
    assert done == list(range(1, len(done) + 1))
    assert not list((run / "checkpoints").iterdir())
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    status, _, errors = ended(start(f"resume={run}", "trainer.steps=4"))
    assert status == 0, errors
    assert steps(run) == [1, 2, 3, 4]
    assert_each_task_was_learned_from_once(run, 12)


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_behind_is_one_line_and_the_one_before_it_is_there(
    small_disk, shop, tmp_path
):
    subprocess.run(["mount", "-o", "remount,size=18m", str(small_disk)], check=True)  # of 10.5 MB each
    run = small_disk / "run"
    words = [*SIZE, shop, "trainer.steps=40", "trainer.async_checkpoints=true", f"out={run}"]
    status, _, errors = ended(start(*words))
    *_, line = errors.strip().splitlines()
    assert status == 1
    assert line.startswith(f"error: cannot write {run}/")  # a checkpoint, or what a step writes beside it
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step_000001"]
    assert steps(run)[:2] == [1, 2]
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    status, _, errors = ended(start(f"resume={run}", "trainer.steps=4"))
    assert status == 0, errors
    assert steps(run) == [1, 2, 3, 4]
    assert_each_task_was_learned_from_once(run, 12)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_promptly_and_goes_on(shop, tmp_path, mode, number, expected):
    run = tmp_path / "run"
    process = start(*SIZE, *MODES[mode], shop, "env.seconds=0.02", "trainer.steps=60", f"out={run}")
    wait_until(lambda: len(steps(run)) >= 2, process)
    process.send_signal(number)
    status, output, errors = ended(process)
    assert status == expected, errors
    assert f"continue with: agent-rl train resume={run}" in output.splitlines()
    assert errors.splitlines()[-1] in ("interrupted", "terminated")
    last = len(steps(run)) + 2
    assert ended(start(f"resume={run}", f"trainer.steps={last}"))[0] == 0
    assert steps(run) == list(range(1, last + 1))
    assert_each_task_was_learned_from_once(run, 3 * last)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["oversample", "async"])
def test_a_killed_run_loses_no_task_and_learns_from_none_twice(shop, tmp_path, mode):
    run = tmp_path / "run"
    words = [*SIZE, *MODES[mode], shop, "trainer.steps=9", f"out={run}"]
    for reached in (2, 4, 6):
        process = start(*words)
        wait_until(lambda reached=reached: len(steps(run)) >= reached, process)
        process.kill()
        process.communicate()
        words = [f"resume={run}"]
    assert ended(start(*words))[0] == 0
    assert steps(run) == list(range(1, 10))
    assert_each_task_was_learned_from_once(run, 27)
    state = json.loads((run / "checkpoints" / "step_000009" / "rollouts.json").read_text())
    assert 27 + len(state["again"]) == state["next"]


@pytest.mark.slow
def test_a_resumed_run_has_no_trajectories_of_steps_that_it_will_play_again(shop, tmp_path):
    run = tmp_path / "run"
    process = start(*SIZE, shop, "trainer.steps=40", "trainer.checkpoint_every=4", f"out={run}")
    wait_until(lambda: len(steps(run)) >= 6, process)
    process.kill()
    process.communicate()
    resumed = start(f"resume={run}")
    wait_until(lambda: len(steps(run)) <= 5, resumed)
    resumed.kill()
    resumed.communicate()
    assert max(step for step, _, _ in learned(run)) <= max(steps(run)) + 1
