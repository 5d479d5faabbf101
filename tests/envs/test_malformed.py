"""Malformed calls: always answered; penalised, and the end of the episode, where the environment says so."""

import pytest

from agent_rl import Task, ToolEnv, reward, tool
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, ToolCall, assistant, tool_call, user
from agent_rl.envs.registration import make, register_env
from agent_rl.envs.tool_env import MalformedPolicy


class Lenient(ToolEnv):
    """Answers malformed calls, and no more."""

    def tasks(self, split: str) -> list[Task]:
        return [Task("t", (user("1+1?"),), "2")]

    @tool
    def add(self, a: int, b: int) -> int:
        """Add."""
        return a + b

    @reward
    def correct(self, task: Task, answer: str) -> float:
        return float(answer == task.answer)


class Strict(Lenient):
    """Punishes them, and gives up after three."""

    malformed = MalformedPolicy(penalty=-0.25, stop_after=3)


RIGHT = tool_call("add", {"a": 1, "b": 1})
UNREADABLE: ToolCall = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{"}}
MISTAKES = [UNREADABLE, tool_call("sub", {}, 1), tool_call("add", {"a": "x", "b": 1}, 1), tool_call("add", {"c": 1}, 1)]


def begun(env: ToolEnv) -> ToolEnv:
    env.reset(seed=0)
    return env


def unreadable(*calls: ToolCall) -> Message:
    return {**assistant("", [*calls]), "invalid_tool_calls": [{"text": "{", "error": "not JSON"}]}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_malformed_call_is_answered_beside_those_that_are_right(mistake):
    observation, gained, terminated, _, info = begun(Lenient()).step(assistant("", [RIGHT, mistake]))
    assert [message["content"].startswith("Error: ") for message in observation] == [False, True]
    assert (gained, terminated, info) == (0.0, False, {"components": {}})


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_malformed_call_costs_the_penalty_in_its_turn_and_is_counted(mistake):
    observation, gained, terminated, _, info = begun(Strict()).step(assistant("", [RIGHT, mistake]))
    assert len(observation) == 2
    assert (gained, terminated, info) == (-0.25, False, {"components": {"malformed": 1.0}})


def test_calls_that_cannot_be_read_at_all_count_as_well():
    assert begun(Strict()).step(unreadable(MISTAKES[1]))[1:3] == (-0.5, False)


def test_what_is_right_costs_nothing():
    env = begun(Strict())
    assert env.step(assistant("", [RIGHT]))[1] == 0.0
    assert env.step(assistant("2"))[1] == 1.0


def test_the_episode_ends_with_the_last_malformed_call_that_is_allowed_and_is_scored():
    env = begun(Strict())
    assert not env.step(unreadable())[2]
    assert not env.step(assistant("", [MISTAKES[1]]))[2]
    observation, gained, terminated, _, info = env.step(assistant("2", [MISTAKES[2]]))
    assert (len(observation), gained, terminated) == (1, 0.75, True)
    assert info["components"] == {"malformed": 1.0, "correct": 1.0}
    assert not begun(env).step(unreadable())[2]  # a new episode begins to count anew


def test_the_settings_go_before_what_the_class_declares():
    register_env("malformed_strict", Strict)
    assert make("malformed_strict", malformed={"penalty": -1}).malformed == MalformedPolicy(penalty=-1, stop_after=3)
    assert make("malformed_strict", malformed={"stop_after": None}).malformed == MalformedPolicy(penalty=-0.25)
    assert Strict().malformed == Strict.malformed


@pytest.mark.parametrize("given", [{"penalty": 0.5}, {"stop_after": 0}, {"stop": 1}])
def test_a_policy_that_is_none_is_refused(given):
    with pytest.raises(UserError, match=r"env\.malformed\.(penalty|stop_after|stop): "):
        make("search", malformed=given)
