"""Every fault, at every point: typed, left out of the group's statistics, told in one line, repeated, in a budget.

What waits does so in simulated time; only what blocks a thread does it in real time.
"""

import asyncio
import json
import logging
import math
import os
import subprocess
import sys
import threading
import time
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, tool_call, user
from agent_rl.core.outcome import Cause, InfrastructureError
from agent_rl.core.threads import BlockedLoopError, LoopThread
from agent_rl.core.trajectory import Group
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.rollout.agents import TokenAgent, group_plans
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.scripted import Fault, ScriptedEngine
from agent_rl.rollout.failures import FailureBudgetError
from agent_rl.rollout.flights import Flight
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import PlaySettings
from agent_rl.rollout.store import read_trajectories, write_trajectories
from agent_rl.tools import ToolPolicy
from agent_rl.trainer.algorithms import make_batch
from agent_rl.trainer.algorithms.advantages import grpo

pytestmark = pytest.mark.slow

CALL = assistant("", [tool_call("add", {"a": 3, "b": 4})])
TASK = Task("sum", (user("3+4?"),), "7", {"odd": True})
BAD = frozenset({1, 4})  # which of the environments that are made are faulty
FOREVER = 1e9


class Unprintable:
    def __str__(self) -> str:
        raise RecursionError("too deep")


class Faulty(ToolEnv):
    """Adds two numbers, except in the environments whose number is in `bad`, where `fault` happens."""

    fault = ""
    bad = BAD
    numbers = count()

    def __init__(self, **settings):
        super().__init__(**settings)
        number = next(self.numbers)
        self.now = self.fault if number in self.bad else ""
        if self.now == "constructor raises":
            raise RuntimeError("no licence")

    def tasks(self, split):
        return TaskSet([TASK], split)

    async def areset(self, **given):
        if self.now == "reset raises":
            raise ConnectionRefusedError(111, "Connection refused")
        if self.now == "reset hangs":
            await asyncio.sleep(FOREVER)
        answers = {
            "reset returns nothing": None,
            "reset returns None for messages": (None, {}),
            "reset returns no tools": ([user("3+4?")], {"tools": "add"}),
        }
        return answers[self.now] if self.now in answers else await super().areset(**given)

    async def astep(self, action):
        observation, score, ended, cut, info = await super().astep(action)
        answers = {
            "reward is NaN": (observation, math.nan, ended, cut, info),
            "reward is a text": (observation, "1", ended, cut, info),
            "reward is missing": (observation, None, ended, cut, info),
            "observation is None": (None, score, ended, cut, info),
            "observation has no content": ([{"role": "tool"}], score, ended, cut, info),
            "four values": (observation, score, ended, info),
            "terminated is None": (observation, score, None, cut, info),
            "info is None": (observation, score, ended, cut, None),
            "component is infinite": (observation, score, ended, cut, {"components": {"style": math.inf}}),
            "context is a text": (observation, score, ended, cut, {"context": "so far"}),
        }
        return answers.get(self.now, (observation, score, ended, cut, info))

    def close(self):
        if self.now == "close raises":
            raise RuntimeError("already closed")

    @tool(policy=ToolPolicy(timeout=20))
    async def add(self, a: int, b: int) -> int:
        """Add."""
        if self.now == "tool says infrastructure":
            raise InfrastructureError("calculator", "out of order")
        if self.now == "tool raises":
            raise KeyError("oops")
        if self.now == "tool raises TimeoutError":
            raise TimeoutError("the far end was silent for 3 s")
        if self.now == "tool cancels itself":
            raise asyncio.CancelledError
        if self.now == "tool recurses":
            return await self.add.function(a, b)
        if self.now == "tool returns what has no text":
            return Unprintable()
        if self.now == "tool hangs":
            await asyncio.sleep(FOREVER)
        return a + b

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 for the sum."""
        return {"reward function raises": None}.get(self.now, float(answer == task.answer))


ENVIRONMENT, INFRASTRUCTURE = Cause.ENVIRONMENT, Cause.INFRASTRUCTURE
OF_THE_ENVIRONMENT = {
    "constructor raises": (ENVIRONMENT, "environment", "its constructor raised RuntimeError: no licence"),
    "reset raises": (ENVIRONMENT, "environment", "its reset raised ConnectionRefusedError: [Errno 111] Connection"),
    "reset hangs": (INFRASTRUCTURE, "environment", "waited 30 s for its reset"),
    "reset returns nothing": (ENVIRONMENT, "environment", "its reset returned no pair of messages and info: None"),
    "reset returns None for messages": (ENVIRONMENT, "environment", "an observation that is no list of messages: None"),
    "reset returns no tools": (ENVIRONMENT, "environment", "info['tools'] that are no list of schemas: a str"),
    "reward is NaN": (ENVIRONMENT, "environment", "its step returned a reward that is no finite number: nan"),
    "reward is a text": (ENVIRONMENT, "environment", "its step returned a reward that is no finite number: a str"),
    "reward is missing": (ENVIRONMENT, "environment", "its step returned a reward that is no finite number: None"),
    "observation is None": (ENVIRONMENT, "environment", "an observation that is no list of messages: None"),
    "observation has no content": (ENVIRONMENT, "environment", "an observation that is no list of messages: a list"),
    "four values": (ENVIRONMENT, "environment", "its step returned no five values: a tuple"),
    "terminated is None": (ENVIRONMENT, "environment", "terminated that is not true or false: None"),
    "info is None": (ENVIRONMENT, "environment", "its step returned an info that is no dictionary: None"),
    "component is infinite": (ENVIRONMENT, "environment", "a component 'style' that is no finite number: inf"),
    "context is a text": (ENVIRONMENT, "environment", "info['context'] that is no list of messages: a str"),
    "close raises": (ENVIRONMENT, "environment", "its close raised RuntimeError: already closed"),
    "tool says infrastructure": (INFRASTRUCTURE, "calculator", "out of order"),
    "tool raises": (ENVIRONMENT, "add", "KeyError: 'oops'"),
    "tool raises TimeoutError": (INFRASTRUCTURE, "add", "TimeoutError: the far end was silent for 3 s"),
    "tool cancels itself": (ENVIRONMENT, "add", "RuntimeError: it cancelled itself"),
    "tool recurses": (ENVIRONMENT, "add", "RecursionError"),
    "tool returns what has no text": (ENVIRONMENT, "add", "RecursionError: too deep"),
    "tool hangs": (INFRASTRUCTURE, "add", "no answer within 20 s"),
    "reward function raises": (ENVIRONMENT, "correct", "TypeError"),
}
OF_THE_ENGINE = {
    Fault.REFUSE: "the connection was lost",
    Fault.HANG: "turn 2 was not sampled within 120 s",
    Fault.ABORT: "gave turn 2 back 5 times without a token",
    Fault.TOO_MANY: "65 tokens where 1 to 64 were asked for",
    Fault.UNKNOWN: "a token outside the vocabulary",
    Fault.NAN: "a log-probability that is not finite",
    Fault.RAGGED: "log-probabilities",
    Fault.EMPTY: "0 tokens where 1 to 64 were asked for",
}


def script(renderer, answers=("7", "8")):
    """Call the tool, then answer; every other sample is wrong."""
    call = renderer.action(CALL)

    def say(request) -> list[int]:
        _, _, rest = request.id.rpartition("/")
        sample = int(request.episode.rpartition("/")[2].partition("#")[0])
        return renderer.action(assistant(answers[sample % 2])) if int(rest) else call

    return say


def play(renderer, env=Faulty, engine=None, samples=8, progress=None, **settings) -> Group:
    """Play one group in simulated time."""
    engine, play_settings = engine or ScriptedEngine(script(renderer)), PlaySettings(**settings)
    rollouts = Rollouts(engine, partial(TokenAgent, engine, renderer, play_settings.limits), env, play_settings)
    flight = Flight(0, group_plans("run/0", TASK, samples, Sampling(), 0, 0))

    async def run() -> Group:
        await rollouts.start()
        try:
            (group,) = await rollouts.play([flight], progress)
        finally:
            await rollouts.stop()
        assert not set(engine.opened) - set(engine.closed)
        return group

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run())


@pytest.fixture
def faulty(monkeypatch):
    """Return an environment with a fault in those of the numbers in `bad`."""

    def make(fault: str, bad=BAD) -> type[Faulty]:
        for name, value in {"fault": fault, "bad": bad, "numbers": count()}.items():
            monkeypatch.setattr(Faulty, name, value)
        return Faulty

    return make


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def assert_two_are_left_out(group: Group, caplog, cause: Cause, source: str, message: str) -> None:
    """Assert that two episodes failed of this, and that the statistics are those of the six others."""
    bad = [episode[-1] for episode in group.episodes if not episode[-1].usable]
    assert len(group.episodes) == 8 and len(bad) == 2
    for trajectory in bad:
        assert (trajectory.failure.cause, trajectory.failure.source) == (cause, source)
        assert message in trajectory.failure.message
        assert trajectory.attributes == TASK.attributes
    answers = [episode[-1].messages[-1]["content"] for episode in group.usable]
    assert group.rewards == [float(answer == "7") for answer in answers]
    learned = make_batch([group])
    rewards = np.array(group.rewards)
    expected = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
    np.testing.assert_allclose(grpo(learned.rewards, learned.groups), expected, atol=1e-9)
    assert [t.sample for t in learned.trajectories] == [episode[0].sample for episode in group.usable]
    (line,) = warnings(caplog)
    left_out = "2 of 8 episodes failed for good and are left out, 0 attempts were repeated: 2 x "
    assert line.startswith(f"{left_out}{source}: ") and message in line and "\n" not in line


@pytest.mark.parametrize("fault", OF_THE_ENVIRONMENT)
def test_what_goes_wrong_in_an_environment_is_typed_and_never_a_reward(renderer, faulty, caplog, fault):
    group = play(renderer, faulty(fault), retries=0, failure_budget=0.5, stall_seconds=1e6)
    assert_two_are_left_out(group, caplog, *OF_THE_ENVIRONMENT[fault])


def engine_with(renderer, fault: Fault | Exception, bad) -> ScriptedEngine:
    """Return an engine that fails in the second turn of the samples in `bad`, at their first attempt."""
    names = {f"run/0/sum/{sample}/1" for sample in bad}
    say = script(renderer)

    def raising(request) -> list[int]:
        if request.id in names:
            raise fault
        return say(request)

    if isinstance(fault, Exception):
        return ScriptedEngine(raising)
    return ScriptedEngine(say, faults=lambda request: fault if request.id in names else None)


@pytest.mark.parametrize("fault", Fault)
def test_what_goes_wrong_in_an_engine_is_infrastructure_and_never_a_reward(renderer, faulty, caplog, fault):
    engine = engine_with(renderer, fault, BAD)
    group = play(renderer, faulty(""), engine, retries=0, failure_budget=0.5, stall_seconds=1e6)
    assert_two_are_left_out(group, caplog, INFRASTRUCTURE, "engine", OF_THE_ENGINE[fault])


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "Connection reset by peer"), ValueError("longer than the context"), KeyError()]
)
def test_whatever_an_engine_raises_is_not_the_environments_doing(renderer, faulty, caplog, error):
    group = play(renderer, faulty(""), engine_with(renderer, error, BAD), retries=0, failure_budget=0.5)
    assert_two_are_left_out(group, caplog, INFRASTRUCTURE, "engine", type(error).__name__)


@pytest.mark.parametrize("fault", [*OF_THE_ENVIRONMENT, *Fault])
def test_a_fresh_attempt_mends_what_was_not_the_policys_doing(renderer, faulty, caplog, fault):
    of_engine = isinstance(fault, Fault)
    engine = engine_with(renderer, fault, BAD) if of_engine else None
    env = faulty("" if of_engine else fault)
    group = play(renderer, env, engine, stall_seconds=1e6)
    assert len(group.usable) == 8 and group.rewards == [1.0, 0.0] * 4
    assert next(env.numbers) == 10  # two more than there are episodes: every attempt has an environment of its own
    (line,) = warnings(caplog)
    source = "engine" if of_engine else OF_THE_ENVIRONMENT[fault][1]
    assert line.startswith(
        f"0 of 8 episodes failed for good and are left out, 2 attempts were repeated: 2 x {source}: "
    )


@pytest.mark.parametrize("fault", [*OF_THE_ENVIRONMENT, *Fault])
def test_over_the_budget_the_rollout_ends_with_the_culprits_name(renderer, faulty, fault):
    of_engine = isinstance(fault, Fault)
    engine = ScriptedEngine(script(renderer), faults=lambda request: fault) if of_engine else None
    env = faulty("" if of_engine else fault, bad=range(1000))
    source = "engine" if of_engine else OF_THE_ENVIRONMENT[fault][1]
    with pytest.raises(FailureBudgetError, match=rf"^8 of 8 episodes failed 2 times each.*in '{source}': ") as caught:
        play(renderer, env, engine, retries=1, stall_seconds=1e6)
    assert caught.value.exit_status == 3


def test_failures_whose_messages_differ_in_numbers_are_one_kind(renderer, faulty, caplog):
    def say(request) -> list[int]:
        raise InfrastructureError("engine", f"request {request.seed % 9973} was lost\nat {id(request)}")

    with pytest.raises(
        FailureBudgetError, match=r"the most frequent failure \(8 times\).*request \d+ was lost at \d+$"
    ):
        play(renderer, faulty(""), ScriptedEngine(say), retries=0)
    group = play(renderer, faulty(""), ScriptedEngine(say), retries=0, failure_budget=1.0)
    assert group.rewards == [] and make_batch([group]).trajectories == []
    (line,) = warnings(caplog)
    assert "8 x engine: request " in line and "other kinds" not in line


def test_an_exception_of_any_size_is_a_line_of_bounded_length(renderer, faulty, monkeypatch, caplog):
    def fails(self, action):
        raise ValueError("x\n" * 5_000_000)

    monkeypatch.setattr(Faulty, "astep", fails)
    group = play(renderer, faulty(""), retries=0, failure_budget=1.0)
    assert all(len(t.failure.message) < 400 and "\n" not in t.failure.message for t in group.trajectories)
    assert len(caplog.text) < 1000


def with_tool(monkeypatch, function) -> type[ToolEnv]:
    """Return the environment with another function as its tool."""
    function.__name__ = "add"
    monkeypatch.setattr(Faulty, "add", tool(function, policy=ToolPolicy(timeout=1)))
    return Faulty


def test_a_tool_that_returns_100_megabytes_costs_the_episode_its_tokens_and_no_more(renderer, faulty, monkeypatch):
    def huge(self, a: int, b: int) -> str:
        return "7" * 100_000_000

    faulty("")
    group = play(renderer, with_tool(monkeypatch, huge), samples=2)
    assert [t.stop for t in group.trajectories] == ["episode_length"] * 2
    assert all(t.usable and len(t.tokens) <= 512 and len(t.messages[-1]["content"]) < 4100 for t in group.trajectories)


def test_half_a_surrogate_in_a_result_is_data_and_in_an_error_a_failure(
    renderer, faulty, monkeypatch, tmp_path, caplog
):
    def half(self, a: int, b: int) -> str:
        return "7 \ud800"

    async def broken(self, a: int, b: int) -> str:
        raise ValueError("no name \udcff")

    faulty("")
    ended = play(renderer, with_tool(monkeypatch, half), samples=2)
    failed = play(renderer, with_tool(monkeypatch, broken), samples=2, failure_budget=1.0)
    assert all(t.usable for t in ended.trajectories)
    assert {(t.failure.source, t.failure.message) for t in failed.trajectories} == {
        ("add", "ValueError: no name \\udcff")
    }
    both = [*ended.trajectories, *failed.trajectories]
    write_trajectories(tmp_path / "t", both)
    assert list(read_trajectories(tmp_path / "t")) == both


def test_when_one_of_several_tools_fails_the_others_are_not_left_running(renderer, faulty, monkeypatch):
    ended: list[str] = []

    async def some(self, a: int, b: int) -> int:
        if a == 1:
            raise KeyError(a)
        try:
            await asyncio.sleep(0.5)
            ended.append("answered")
        finally:
            ended.append("over")
        return a + b

    faulty("")
    twice = assistant("", [tool_call("add", {"a": a, "b": 0}, a) for a in (1, 2)])
    engine = ScriptedEngine(lambda request: renderer.action(twice))
    with pytest.raises(FailureBudgetError):
        play(renderer, with_tool(monkeypatch, some), engine, samples=2, retries=0)
    assert ended == ["over"] * 2


def test_when_nothing_ends_the_log_names_tools_and_environments_that_are_waited_for(renderer, faulty, caplog):
    play(renderer, faulty("tool hangs", bad={0, 1, 2}), stall_seconds=9.0)
    assert "no episode has ended for 9 s; 3 are playing: 3 x add 18 s; the engine: 0 requests in flight" in caplog.text
    caplog.clear()
    play(renderer, faulty("reset hangs", bad={0, 1}), stall_seconds=9.0)
    assert "2 are playing: 2 x its environment's reset 18 s" in caplog.text


def test_an_error_in_progress_ends_the_call_and_nothing_hangs(renderer, faulty):
    def progress(done: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play(renderer, faulty(""), progress=progress)


# What blocks threads: in real time.


class Blocking(Faulty):
    """Blocks the thread it is in, until the test is over."""

    released = threading.Event()

    def __init__(self, **settings):
        super().__init__(**settings)
        self.wait("constructor")

    def wait(self, where: str) -> None:
        if self.now == where:
            self.released.wait(60)

    def close(self):
        self.wait("close")

    @tool(policy=ToolPolicy(timeout=2))
    def add(self, a: int, b: int) -> int:
        """Add."""
        self.wait("tool")
        if self.now == "exit":
            sys.exit(4)
        if self.now == "next":
            return next(iter([]))
        return a + b

    @tool
    async def leave(self) -> None:
        """Leave the program."""
        sys.exit(5)


@pytest.fixture
def manager(renderer, faulty):
    """Make managers in real time, close them and let go of the threads when the test ends."""
    made: list[RolloutManager] = []

    def make(fault: str, engine=None, **settings) -> RolloutManager:
        faulty(fault)
        engine = engine or ScriptedEngine(script(renderer))
        play_settings = PlaySettings(limits=Limits(tool_seconds=3.0), **settings)
        agent = partial(TokenAgent, engine, renderer, play_settings.limits)
        made.append(RolloutManager(engine, agent, Blocking, play_settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
    Blocking.released.set()
    Blocking.released = threading.Event()


@pytest.mark.parametrize(
    ("fault", "cause", "source", "message"),
    [
        ("constructor", INFRASTRUCTURE, "environment", "waited 3 s for its constructor"),
        ("close", INFRASTRUCTURE, "environment", "waited 3 s for its close"),
        ("tool", INFRASTRUCTURE, "add", "no answer within 2 s"),
        ("exit", ENVIRONMENT, "add", "it wanted to end the program with status 4"),
        ("next", ENVIRONMENT, "add", "it raised StopIteration"),
    ],
)
def test_what_blocks_or_ends_its_thread_holds_nobody_else(manager, caplog, fault, cause, source, message):
    rollouts = manager(fault, retries=0, failure_budget=0.5)
    (group,) = rollouts.run([TASK], 8, Sampling(), 0)
    assert_two_are_left_out(group, caplog, cause, source, message)
    rollouts.close()


def test_a_tool_that_exits_on_the_event_loop_fails_its_episode_and_the_loop_goes_on(renderer, manager):
    leave = renderer.action(assistant("", [tool_call("leave", {})]))
    say = script(renderer)
    engine = ScriptedEngine(lambda request: leave if request.id == "run/0/sum/2/0" else say(request))
    (group,) = manager("", engine, retries=0, failure_budget=0.5).run([TASK], 8, Sampling(), 0)
    (bad,) = [t for t in group.trajectories if not t.usable]
    assert (bad.failure.source, bad.failure.message) == (
        "leave",
        "RuntimeError: it wanted to end the program with status 5",
    )


def test_an_environment_that_comes_too_late_is_closed_again(manager, monkeypatch):
    closed: list[str] = []
    monkeypatch.setattr(Blocking, "close", lambda self: closed.append(self.now))
    rollouts = manager("constructor", retries=0, failure_budget=0.5)
    rollouts.run([TASK], 8, Sampling(), 0)
    assert closed.count("constructor") == 0
    Blocking.released.set()
    deadline = time.monotonic() + 120
    while closed.count("constructor") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert closed.count("constructor") == 2


def test_an_error_in_progress_leaves_the_manager_fit_for_the_next_call(manager):
    def progress(done: int, total: int) -> None:
        raise ZeroDivisionError

    rollouts = manager("")
    with pytest.raises(ZeroDivisionError):
        rollouts.run([TASK], 8, Sampling(), 0, progress)
    assert len(rollouts.run([TASK], 8, Sampling(), 0)[0].usable) == 8


def test_a_loop_that_stays_blocked_is_given_up_with_the_line_that_blocks_it(manager, monkeypatch):
    released = threading.Event()

    async def blocks(self, action):
        released.wait(60)
        return [], 0.0, True, False, {}

    monkeypatch.setattr(Blocking, "astep", blocks)
    monkeypatch.setattr(LoopThread, "_PATIENCE", 0.2)
    monkeypatch.setattr(LoopThread, "_LIMIT", 0.4)
    monkeypatch.setattr(LoopThread, "_STEP", 0.2)
    rollouts = manager("")
    try:
        with pytest.raises(BlockedLoopError, match=r"blocked for 0.4 s: it is in wait .*threading.py"):
            rollouts.run([TASK], 8, Sampling(), 0)
        rollouts.close()  # gives up as well
    finally:
        released.set()


ROOT = Path(__file__).parents[2]


def injected(episodes: int) -> dict[str, float]:
    command = [sys.executable, "benchmarks/faults.py", "--json", f"--episodes={episodes}"]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def assert_all_are_accounted_for(figures: dict[str, float], episodes: int) -> None:
    assert figures["episodes"] >= episodes - 8
    assert figures["repeated_attempts"] > 0.03 * episodes
    assert [figures[name] for name in ("lost", "counted_twice", "hanging", "wrong_rewards")] == [0] * 4
    assert figures["failed_for_good"] < 0.01 * episodes


def test_with_all_faults_injected_none_of_600_episodes_is_lost_counted_twice_or_hanging():
    assert_all_are_accounted_for(injected(600), 600)


@pytest.mark.slow
def test_with_all_faults_injected_10000_episodes_are_accounted_for_and_memory_stays_flat():
    figures = injected(10_000)
    assert_all_are_accounted_for(figures, 10_000)
    assert figures["memory_growth_mb"] < 5
