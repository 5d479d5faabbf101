"""verifiers: a taskset written with its own library, played here."""

from pathlib import Path

import pytest

import agent_rl
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.envs.adapters.verifiers_bridge import load
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection

TASKSET = '''
from collections.abc import Iterator

import verifiers.v1 as vf


class SumData(vf.TaskData):
    answer: int


class CalculatorConfig(vf.ToolsetConfig):
    pass


class Calculator(vf.Toolset[CalculatorConfig, vf.State]):
    @vf.tool
    async def add(self, a: int, b: int) -> int:
        """Add two numbers."""
        if a < 0:
            raise ValueError("no negative numbers")
        return a + b + self.error

    async def setup_task(self, task):
        self.error = 0 if task.answer < 100 else 1


class SumTask(vf.Task[SumData, vf.State, vf.TaskConfig]):
    async def setup(self, trace, runtime):
        trace.info["set up"] = True
        await runtime.write("notes.txt", str(self.data.answer).encode())

    @vf.stop
    async def asked_to_stop(self, trace: vf.Trace) -> bool:
        return "STOP" in trace.last_reply

    @vf.reward(weight=2.0)
    async def right(self, trace) -> float:
        assert trace.info["set up"]
        return float(trace.last_reply.endswith(str(self.data.answer)))

    @vf.reward
    async def polite(self, task, trace) -> dict[str, float]:
        return {"please": 0.5 * ("please" in trace.last_reply)}

    @vf.metric
    async def turns(self, trace) -> float:
        if "bug" in trace.last_reply:
            raise KeyError("bug")
        return trace.num_turns

    @vf.metric
    async def noted(self, runtime, trace) -> float:
        return float((await runtime.read("notes.txt")).decode())

    @classmethod
    def toolsets(cls, config):
        return [Calculator(CalculatorConfig())]


class SumsConfig(vf.TasksetConfig):
    first: int = 0


class Sums(vf.Taskset[SumTask, SumsConfig]):
    INFINITE = True

    def load(self) -> Iterator[SumTask]:
        number = self.config.first
        while True:
            data = SumData(prompt=f"{number}+1?", system_prompt="Be polite.", answer=number + 1)
            yield SumTask(data, self.config.task)
            number += 1


class ContainerTask(SumTask):
    NEEDS_CONTAINER = True


class Containers(vf.Taskset[ContainerTask, vf.TasksetConfig]):
    def load(self):
        yield ContainerTask(SumData(prompt="?", answer=1), self.config.task)


__all__ = ["Sums"]
'''


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("tasksets") / "sums_taskset.py"
    file.write_text(TASKSET)
    return f"{file}:Sums"


def test_check_finds_nothing_wrong(name: str) -> None:
    findings = list(check_environment(EnvSection(name="verifiers", id=name, tasks=50)))
    assert [finding for finding in findings if finding.passed is False] == []


def test_tasks_and_config_are_the_tasksets_own(name: str) -> None:
    env = agent_rl.make("verifiers", id=name, tasks=20, config={"first": 7})
    assert (len(env.tasks("train")), len(env.tasks("test"))) == (18, 2)
    messages, info = env.reset(options={"task_id": "task-3"})
    assert [message["content"] for message in messages] == ["Be polite.", "10+1?"]
    assert [tool["function"]["name"] for tool in info["tools"]] == ["calculator_add"]
    env.close()


def test_an_installed_taskset_is_loaded_by_its_id(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(name.partition(":")[0]).parent)
    env = agent_rl.make("verifiers", id="sums-taskset", tasks=10)
    assert len(env.tasks("train")) == 9


def test_an_episode_uses_its_tools_and_gets_its_rewards_and_metrics(name: str) -> None:
    env = agent_rl.make("verifiers", id=name, tasks=20)
    env.reset(options={"task_id": "task-4"})
    answers, reward, terminated, *_ = env.step(assistant("", [tool_call("calculator_add", {"a": 4, "b": 1})]))
    assert (answers[0]["content"], reward, terminated) == ("5", 0.0, False)
    _, reward, terminated, _, info = env.step(assistant("If you please: 5"))
    assert (reward, terminated) == (2.5, True)
    assert info["components"] == {"right": 1.0, "please": 0.5, "turns": 2.0, "noted": 5.0}


def test_what_a_tool_raises_is_told_to_the_agent(name: str) -> None:
    env = agent_rl.make("verifiers", id=name, tasks=20)
    env.reset(seed=0)
    wrong = [tool_call("calculator_add", {"a": -1, "b": 1}), tool_call("calculator_add", {"a": "x", "b": 1}, 1)]
    answers, _, terminated, *_ = env.step(assistant("", wrong))
    assert "no negative numbers" in answers[0]["content"] and answers[1]["content"].startswith("Error: argument 'a'")
    assert not terminated
    env.close()


def test_a_stop_of_the_task_ends_the_episode(name: str) -> None:
    env = agent_rl.make("verifiers", id=name, tasks=20)
    env.reset(seed=0)
    step = env.step(assistant("STOP", [tool_call("calculator_add", {"a": 1, "b": 1})]))
    assert step[1:3] == (0.0, True)


def test_a_score_that_fails_is_no_reward(name: str) -> None:
    env = agent_rl.make("verifiers", id=name, tasks=20)
    env.reset(seed=0)
    with pytest.raises(BrokenEnvironmentError, match="bug"):
        env.step(assistant("bug"))


def test_what_cannot_be_adapted_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="need a container"):
        agent_rl.make("verifiers", id=name.replace("Sums", "Containers"))
    for wrong in ("no_such_taskset", name.replace("Sums", "Nothing")):
        with pytest.raises(UserError, match=r"env\.id"):
            agent_rl.make("verifiers", id=wrong)
    load.cache_clear()
