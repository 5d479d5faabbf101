"""What an environment counts is in the trajectory, failed attempts included, and in the metrics as a mean."""

import asyncio
import threading
from dataclasses import replace

import pytest

from agent_rl.core.context import count, current
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.trajectory import Group
from agent_rl.envs import ToolEnv
from agent_rl.rollout.feed import Rollout
from agent_rl.tools import ToolPolicy, tool
from agent_rl.trainer.metrics import rollout_metrics
from tests.rollout.test_faults import TASK, play
from tests.tools import talkers

SEEN: list[tuple[str, str]] = []


class Counting(ToolEnv):
    """Counts the calls of its tool, which fails in the first attempt at sample 0."""

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([TASK], split)

    def setup(self, task: Task) -> None:
        assert current().count_tokens("7") == 1

    @tool
    def add(self, a: int, b: int) -> int:
        """Add."""
        episode = current()
        SEEN.append((episode.episode, episode.group))
        count("tools/add/tries")
        if episode.episode.endswith("/0"):
            raise InfrastructureError("add", "out of order")
        return a + b


@pytest.fixture
def group(renderer) -> Group:
    SEEN.clear()
    return play(renderer, Counting, samples=4)


def test_attempts_that_failed_count_too_and_the_metrics_are_means_over_episodes(group):
    counted = [episode[-1].counters["tools/add/tries"] for episode in group.episodes]
    assert counted == [2, 1, 1, 1]
    assert rollout_metrics(Rollout([group], []), 0, 0.5)["tools/add/tries"] == 5 / 4


def test_every_attempt_has_its_own_name_and_the_groups(group):
    assert sorted(SEEN) == sorted(
        (f"run/0/{TASK.id}/{name}", f"run/0/{TASK.id}") for name in ("0", "0#1", "1", "2", "3")
    )


@pytest.mark.parametrize("task_id", ["a#1", "#", "a/0#2"])
def test_fresh_attempts_have_names_of_their_own_whatever_the_task_is_called(renderer, monkeypatch, task_id):
    monkeypatch.setattr("tests.rollout.test_faults.TASK", replace(TASK, id=task_id))

    class Out(Counting):
        @tool
        def add(self, a: int, b: int) -> int:
            """Add."""
            SEEN.append((current().episode, ""))
            raise InfrastructureError("add", "out of order")

    SEEN.clear()
    play(renderer, Out, samples=2, failure_budget=1.0, retries=1)
    names = [name for name, _ in SEEN]
    assert sorted(names) == [f"run/0/{task_id}/{name}" for name in ("0", "0#1", "1", "1#1")]


def test_what_threads_that_were_left_behind_count_is_in_no_trajectory():
    gone_on, goes_on = threading.Event(), threading.Event()

    class Slow(ToolEnv):
        @tool(policy=ToolPolicy(timeout=0.05))
        def add(self, a: int, b: int) -> int:
            """Add, too late."""
            goes_on.wait(10)
            count("late")
            gone_on.set()
            return a + b

    played = asyncio.run(talkers.play(Slow, assistant("", [tool_call("add", {"a": 1, "b": 2})])))
    goes_on.set()
    assert gone_on.wait(10)
    assert "late" not in played.counters
