"""`check` says what is wrong with an environment, and goes on to the next check."""

import re
from pathlib import Path

import pytest

from agent_rl.envs.base import Finding
from agent_rl.envs.checker import check_environment
from agent_rl.envs.registration import environment
from agent_rl.envs.section import EnvSection
from agent_rl.tools.sandbox.current import using
from agent_rl.tools.sandbox.fusion import FusionSettings

ENVIRONMENTS = """
import random
import time
from agent_rl import AgentEnv, Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import assistant, user
from agent_rl.envs.base import Finding
from agent_rl.envs.tool_env import MalformedPolicy
from agent_rl.tools.python import run_python
from agent_rl.tools.sandbox.base import Limits


class Good(ToolEnv):
    def tasks(self, split):
        first = {"train": 0, "test": 5}[split]
        return [Task(f"{split}-{i}", (user(f"{i}+1?"),), str(i + 1)) for i in range(first, first + 5)]

    @tool
    def add(self, a: int, b: int) -> int:
        return a + b

    @reward
    def correct(self, task, answer):
        return float(answer == task.answer)

    def solution(self, task):
        return [assistant(task.answer)]


class Costly(Good):
    malformed = MalformedPolicy(penalty=-0.1, stop_after=3)

    @reward(weight=-0.25, per="turn")
    def turns(self):
        return 1.0

    def best_reward(self, task):
        return 0.75


class Generous(Good):
    @reward
    def correct(self, task, answer):
        return 1.0


class Unsolvable(Good):
    def solution(self, task):
        return [assistant("no idea")]


class Running(Good):
    @tool
    async def python(self, code: str) -> str:
        return await run_python(code, Limits())


class Unsolved(Good):
    solution = ToolEnv.solution


class RaisesInReset(Good):
    async def areset(self, *, seed=None, options=None):
        raise RuntimeError("no reset today")


class RaisesInTasks(Good):
    def tasks(self, split):
        return [Task("a", (user("?"),))] if split == "train" else {}["missing"]


class RaisesInConstructor(Good):
    def __init__(self, **settings):
        raise RuntimeError("not today")


class SharedTasks(Good):
    def tasks(self, split):
        return TaskSet([Task(f"t{i}", (user("?"),), "1") for i in range(5)], split)


class SameProblems(Good):
    def tasks(self, split):
        return [Task(f"{split}-{i}", (user(f"{i}+1?"),), str(i + 1)) for i in range(5)]


class Twins(Good):
    async def astep(self, action):
        return await super().astep(action)

    def step(self, action):
        observation, *rest = super().step(action)
        return [*observation, user("by the way")], *rest


class Drifts(Good):
    async def astep(self, action):
        observation, *rest = await super().astep(action)
        return [*observation, user(str(time.perf_counter_ns()))], *rest


class Counted(Good):
    made, closed = set(), set()

    def __init__(self, **settings):
        super().__init__(**settings)
        self.number = len(self.made)
        self.made.add(self.number)

    def close(self):
        self.closed.add(self.number)


class ClosesOnce(Good):
    def close(self):
        del self.settings


class Unrepeatable(Good):
    async def areset(self, *, seed=None, options=None):
        observation, info = await super().areset(seed=seed, options=options)
        return [*observation, user(str(random.SystemRandom().random()))], info


class NoBoundsOnCalls(Good):
    async def astep(self, action):
        if "tool_calls" in action:
            return [], 0.0, True, False, {}
        return await super().astep(action)


class SaysMore(Good):
    def check(self):
        yield Finding("rain", False, "it rains")
        yield Finding("sun", None, "a figure")


class Plain(AgentEnv):
    def reset(self, *, seed=None, options=None):
        super(AgentEnv, self).reset(seed=seed)
        return [user("hello")], {}

    def step(self, action):
        return [], 0.0, True, False, {}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checked") / "checked_envs.py"
    path.write_text(ENVIRONMENTS)
    return path


def findings(file: Path, name: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_environment(EnvSection(name=f"{file}:{name}"))}


def failed(file: Path, name: str) -> set[str]:
    return {finding.name for finding in findings(file, name).values() if finding.passed is False}


ALL = [
    "gymnasium", "tasks", "splits", "problems", "repeatable", "twins", "solution", "wrong answer", "malformed calls",
    "closes",
]  # fmt: skip


@pytest.mark.parametrize("name", ["Good", "Costly"])
def test_a_sound_environment_passes_every_check(file, name):
    found = findings(file, name)
    assert list(found) == ALL
    assert all(finding.passed for finding in found.values())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Generous", "wrong answer"),
        ("Unsolvable", "solution"),
        ("SharedTasks", "splits"),
        ("Unrepeatable", "repeatable"),
        ("NoBoundsOnCalls", "malformed calls"),
        ("SaysMore", "rain"),
    ],
)
def test_a_broken_environment_is_told_what_is_broken(file, name, wrong):
    assert wrong in failed(file, name)


def test_what_is_sound_beside_the_fault_is_said_to_be_sound(file):
    assert failed(file, "Generous") == {"wrong answer"}
    assert findings(file, "Generous")["wrong answer"].seen == "0 of 5 get less"
    assert failed(file, "Unsolvable") == {"solution"}
    told = "0 of 5 get all of the reward; task 'test-5' gets 0 of 1 (correct 0)"
    assert findings(file, "Unsolvable")["solution"].seen == told
    assert failed(file, "SharedTasks") == {"splits", "problems"}
    assert failed(file, "SameProblems") == {"problems"}
    assert failed(file, "Twins") == {"twins"}
    assert failed(file, "Drifts") == {"gymnasium", "repeatable", "twins"}
    assert failed(file, "ClosesOnce") == {"closes"}


def test_an_environment_that_offers_python_has_it_run_a_program(file):
    found = findings(file, "Running")
    assert found["python"] == Finding("python", True, "print(6 * 7) gives '42'")
    assert all(finding.passed for finding in found.values())


@pytest.mark.parametrize("name", [pytest.param("math", marks=pytest.mark.slow), "{file}:Running"])
def test_a_dead_sandbox_fails_the_check_of_an_environment_that_offers_python(file, name):
    given = {"python": True, "train_tasks": 5, "test_tasks": 5} if name == "math" else {}
    with using(FusionSettings(url="http://127.0.0.1:9", attempts=1)):
        found = list(check_environment(EnvSection(name=name.format(file=file), **given)))
    (dead,) = [finding for finding in found if finding.passed is False]
    seen = "sandbox=fusion has no sessions" if name == "math" else "InfrastructureError: sandbox: attempt 1: http://127"
    assert dead.name == "python"
    assert dead.seen.startswith(seen)


def test_an_environment_that_raises_is_told_the_exception_by_every_check_that_met_it(file):
    found = findings(file, "RaisesInReset")
    assert failed(file, "RaisesInReset") == {"gymnasium", "repeatable", "solutions", "malformed", "closes"}
    assert found["repeatable"].seen.startswith("RuntimeError: no reset today (checked_envs.py:")
    assert found["splits"].passed


@pytest.mark.parametrize(
    ("name", "finding", "seen"),
    [
        (
            "RaisesInTasks",
            "tasks of 'test'",
            r"KeyError: 'missing' \(checked_envs.py:\d+\); nothing else can be checked",
        ),
        ("RaisesInConstructor", "constructor", r"RuntimeError: not today \(.*:\d+\); nothing else can be checked"),
    ],
)
def test_what_no_check_can_do_without_is_said_once(file, name, finding, seen):
    (found,) = check_environment(EnvSection(name=f"{file}:{name}"))
    assert (found.name, found.passed) == (finding, False)
    assert re.fullmatch(seen, found.seen)


def test_a_malformed_file_of_tasks_is_said_once(file, tmp_path):
    (tmp_path / "tasks.jsonl").write_text('{"question": "?"}\n{"question": 7}\n')
    found = list(check_environment(EnvSection(name=f"{file}:Good", tasks=str(tmp_path / "tasks.jsonl"))))
    assert [(finding.name, finding.passed) for finding in found] == [("tasks of 'train'", False)]
    assert f"{tmp_path / 'tasks.jsonl'}, line 2: question must be a text" in found[0].seen


def test_every_environment_that_was_made_is_closed(file):
    cls = environment(f"{file}:Counted")
    assert failed(file, "Counted") == set()
    assert cls.made == cls.closed
    assert len(cls.made) > 10


@pytest.mark.parametrize("name", ["Unsolved", "Plain"])
def test_what_cannot_be_checked_is_said_and_is_no_failure(file, name):
    found = findings(file, name)
    assert found["solutions"].passed is None
    assert found["solutions"].seen.startswith("not checked: ")


def test_an_environments_own_findings_come_last(file):
    assert list(findings(file, "SaysMore")) == [*ALL, "rain", "sun"]
