"""Wrappers: Gymnasium's to the letter, awaited in rollouts, and those of Gymnasium stepped in a thread."""

import asyncio
import threading
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from agent_rl import Task, TaskSet, ToolEnv, make, register_env, reward, tool
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call, user
from agent_rl.core.outcome import StopReason
from agent_rl.envs.base import AgentEnv, StepResult
from agent_rl.envs.wrappers import AgentWrapper
from agent_rl.envs.wrappers.base import awaitable
from agent_rl.rollout.engines.scripted import ScriptedEngine
from tests.rollout.test_episode import play, script


class Adder(ToolEnv):
    """Adds."""

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([Task(f"{split}-{i}", (user(f"{i}+1?"),), str(i + 1)) for i in range(4)], split)

    def solution(self, task: Task) -> list[Message]:
        return [assistant(task.answer)]

    @tool
    async def add(self, a: int, b: int) -> int:
        return a + b

    @reward
    def correct(self, task: Task, answer: str) -> float:
        return float(answer == task.answer)


class Shouting(AgentWrapper):
    """Answers in capitals, and notes the thread in which it does."""

    thread = ""

    async def astep(self, action: Message) -> StepResult:
        observation, *rest = await super().astep(action)
        self.thread = threading.current_thread().name
        return [{**message, "content": "SUM " + message["content"]} for message in observation], *rest


class Doubling(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A wrapper as Gymnasium knows it, which has no asynchronous twins."""

    thread = ""

    def step(self, action: Message) -> Any:
        observation, gained, *rest = self.env.step(action)
        self.thread = threading.current_thread().name
        return observation, 2 * float(gained), *rest


ADD = assistant("", [tool_call("add", {"a": 3, "b": 1})])


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasiums_own_check_finds_nothing_wrong_with_a_wrapper_and_makes_it_again_from_its_spec():
    register_env("wrapped_adder", Adder)
    check_env(AgentWrapper(gymnasium.make("agent_rl/WrappedAdder-v0")), skip_render_check=True)


def test_a_wrapper_composes_with_gymnasiums_own_in_any_order():
    for wrapped in (
        Shouting(Doubling(Adder())),
        Doubling(Shouting(Adder())),
        Doubling(AgentWrapper(Doubling(Adder()))),
    ):
        wrapped.reset(options={"task_id": "train-3"})
        heard = wrapped.step(ADD)[0][0]["content"]
        assert heard == ("4" if type(wrapped.env) is AgentWrapper else "SUM 4")
        assert wrapped.step(assistant("4"))[1] == (4 if type(wrapped.env) is AgentWrapper else 2)


def test_a_wrapper_is_awaited_and_its_synchronous_twins_follow():
    async def episode(env: AgentEnv) -> list[Any]:
        return [await env.areset(seed=1), await env.astep(ADD), threading.current_thread().name]

    env = Shouting(Adder())
    *awaited, thread = asyncio.run(episode(env))
    assert env.thread == thread
    assert awaited == [env.reset(seed=1), env.step(ADD)]


@pytest.mark.parametrize("written", ["reset", "step"])
def test_a_wrapper_that_rollouts_would_go_around_is_refused_when_it_is_declared(written):
    with pytest.raises(TypeError, match=f"Half must write a{written}"):
        type("Half", (AgentWrapper,), {written: lambda self: None})


def test_what_belongs_to_the_environment_is_reached_through_every_wrapper():
    env = awaitable(Doubling(make("search", results=2)))
    assert env.settings.model_dump()["results"] == 2
    env = awaitable(Doubling(Adder()))
    assert env.solution(env.tasks("test")[0]) == [assistant("1")]
    assert list(env.check()) == []
    with pytest.raises(UserError, match="Adder has no demonstrations"):
        Shouting(Adder()).demonstrate(None)


def test_a_rollout_awaits_a_wrapper_and_steps_gymnasiums_in_a_thread_but_never_around_it(renderer):
    for env, reward_of_it, heard in ((Shouting(Adder()), 1, "SUM 4"), (Doubling(Adder()), 2, "4")):
        env.tasks = Adder().tasks  # what the rollout's caller knows
        played = play(env, ScriptedEngine(script(renderer, ADD, assistant("4"))), renderer)
        assert (played.failure, played.stop, played.reward) == (None, StopReason.ANSWERED, reward_of_it)
        assert [m["content"] for m in played.messages if m["role"] == "tool"] == [heard]
        assert ("agent_rl-call" in env.thread) is isinstance(env, Doubling)
