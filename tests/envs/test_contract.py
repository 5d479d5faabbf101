"""The contract of an environment: Gymnasium's to the letter, two twins, found by name and by path."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from agent_rl import AgentEnv, Task, TaskSet, ToolEnv, make, register_env, reward, tool
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call, user
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.section import EnvSection

FILE_ENV = '''
from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import user
from agent_rl.core.settings import Settings


class ShopSettings(Settings):
    price: int = 3


class Shop(ToolEnv):
    """Sells one thing."""

    Settings = ShopSettings

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([Task(f"{split}-{i}", (user("How much?"),), str(self.settings.price)) for i in range(3)], split)

    @tool
    def price(self) -> int:
        """Tell the price."""
        return self.settings.price

    @reward
    def correct(self, task: Task, answer: str) -> float:
        return float(answer == task.answer)
'''

FRESH = """
import agent_rl, gymnasium
env = gymnasium.make("agent_rl/Search-v0")
print(env.spec.id, type(env.unwrapped).__name__, env.action_space)
"""


class Countdown(AgentEnv):
    """Says how many turns are left; writes the synchronous twins only."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        gymnasium.Env.reset(self, seed=seed)
        self.left = int(self.np_random.integers(2, 5))
        return [user(f"{self.left}")], {"left": self.left}

    def step(self, action: Message) -> StepResult:
        self.left -= 1
        return [user(f"{action['content']} {self.left}")], 0.5, self.left == 0, False, {}


class Adder(ToolEnv):
    """Adds; writes the asynchronous twins only, as every ToolEnv."""

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([Task(f"{split}-{i}", (user(f"{i}+1?"),), str(i + 1)) for i in range(4)], split)

    @tool
    async def add(self, a: int, b: int) -> int:
        return a + b

    @reward(weight=2)
    def correct(self, task: Task, answer: str) -> float:
        return float(answer == task.answer)


@pytest.fixture
def shop(tmp_path: Path) -> str:
    (tmp_path / "my shop.py").write_text(FILE_ENV)
    return f"{tmp_path}/my shop.py:Shop"


def test_gymnasium_makes_the_environment_once_the_package_is_imported():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["agent_rl/Search-v0", "Search", "MessageSpace()"], done.stderr


@pytest.mark.parametrize("make_env", [Adder, Countdown, lambda: make("search")], ids=["tools", "sync", "search"])
@pytest.mark.filterwarnings("error")
def test_gymnasiums_own_check_finds_nothing_wrong(make_env):
    check_env(make_env(), skip_render_check=True)


def test_gymnasiums_wrappers_keep_the_order_of_reset_and_step():
    wrapped = gymnasium.make("agent_rl/Search-v0")
    with pytest.raises(gymnasium.error.ResetNeeded):
        wrapped.step(assistant("hello"))
    wrapped.reset(seed=0)
    assert wrapped.step(assistant("hello"))[1:4] == (0.0, True, False)


ACTIONS = [assistant("", [tool_call("add", {"a": 1, "b": 2})]), assistant("2")]


@pytest.mark.parametrize("cls", [Adder, Countdown])
def test_the_synchronous_and_the_asynchronous_twins_agree(cls):
    async def play() -> list[Any]:
        env = cls()
        return [await env.areset(seed=4), *[await env.astep(action) for action in ACTIONS]]

    env = cls()
    assert [env.reset(seed=4), *[env.step(action) for action in ACTIONS]] == asyncio.run(play())


def test_the_synchronous_twin_works_inside_a_running_event_loop():
    async def play() -> StepResult:
        env = Adder()
        env.reset(options={"task_id": "train-2"})
        return env.step(assistant("3"))

    assert asyncio.run(play()) == ([], 2.0, True, False, {"components": {"correct": 1.0}})


@pytest.mark.parametrize("written", ["reset", "step", "areset", "astep"])
def test_a_class_that_writes_neither_twin_of_a_pair_is_refused_when_it_is_declared(written):
    missing = "step or astep" if "reset" in written else "reset or areset"
    with pytest.raises(TypeError, match=f"Half must define {missing}"):
        type("Half", (AgentEnv,), {written: lambda self: None})


def test_the_tasks_of_an_episode_can_be_chosen_and_are_random_otherwise():
    env = Adder()
    assert env.reset(options={"split": "test", "task_id": "test-3"})[1]["task_id"] == "test-3"
    assert env.reset(options={"task": Task("mine", (user("?"),))})[1]["task_id"] == "mine"
    drawn = [env.reset(seed=seed)[1]["task_id"] for seed in range(20)]
    assert set(drawn) == {f"train-{i}" for i in range(4)}
    assert drawn == [env.reset(seed=seed)[1]["task_id"] for seed in range(20)]


def test_an_episode_goes_on_while_tools_are_called_and_ends_with_its_reward():
    env = Adder()
    messages, info = env.reset(options={"task_id": "train-2"})
    assert (messages, [schema["function"]["name"] for schema in info["tools"]]) == ([user("2+1?")], ["add"])
    calls = [tool_call("add", {"a": 2, "b": 1}), tool_call("sub", {}, 1), tool_call("add", {"a": 5, "b": 5}, 2)]
    observation, gained, terminated, truncated, info = env.step(assistant("let me see", calls))
    assert [message["content"] for message in observation] == [
        "3",
        "Error: there is no tool 'sub' (there are: add)",
        "10",
    ]
    assert [message["tool_call_id"] for message in observation] == ["call_0", "call_1", "call_2"]
    assert (gained, terminated, truncated, info) == (0.0, False, False, {"components": {}})
    assert env.step(assistant("3")) == ([], 2.0, True, False, {"components": {"correct": 1.0}})


def test_a_malformed_call_is_answered_and_does_not_end_the_episode():
    env = Adder()
    env.reset(options={"task_id": "train-2"})
    broken: Message = {
        **assistant("3", ACTIONS[0]["tool_calls"]),
        "invalid_tool_calls": [{"text": "{", "error": "bad"}],
    }
    observation, gained, terminated, *_ = env.step(broken)
    assert [message["content"] for message in observation] == ["3", "Error: bad"]
    assert (gained, terminated) == (0.0, False)


def test_changing_an_observation_does_not_change_the_task():
    env = Adder()
    env.reset(options={"task_id": "train-2"})[0].append(user("more"))
    assert env.reset(options={"task_id": "train-2"})[0] == [user("2+1?")]


def test_an_exception_of_a_tool_leaves_the_synchronous_step_as_it_was_raised():
    class Broken(Adder):
        @tool
        def add(self, a: int, b: int) -> int:
            raise KeyError("x")

    env = Broken()
    env.reset(seed=0)
    with pytest.raises(BrokenEnvironmentError, match="add: KeyError"):
        env.step(ACTIONS[0])


def test_an_environment_is_made_from_the_path_of_a_file_with_its_settings(shop):
    env = make(shop, price=8)
    env.reset(seed=0)
    assert env.step(assistant("", [tool_call("price", {})]))[0][0]["content"] == "8"
    assert env.step(assistant("8"))[1] == 1.0
    assert EnvSection.model_validate({"name": shop, "price": 9}).build().settings.model_dump() == {"price": 9}


def test_a_path_that_leads_nowhere_says_what_is_missing(shop):
    path = shop.removesuffix(":Shop")
    with pytest.raises(UserError, match="has no environment class 'Shoop'"):
        make(f"{path}:Shoop")
    with pytest.raises(UserError, match="has no environment class 'ShopSettings'"):
        make(f"{path}:ShopSettings")
    with pytest.raises(UserError, match=r"there is no Python file no\.py"):
        make("no.py:Shop")


def test_an_unknown_environment_or_setting_gets_the_nearest_right_one(shop):
    with pytest.raises(UserError, match=r"unknown environment 'serch', did you mean 'search'\? \(there are: .*search"):
        make("serch")
    with pytest.raises(UserError, match=r"env\.resluts: .*did you mean 'results'\?"):
        make("search", resluts=2)
    with pytest.raises(UserError, match=r"env\.prize: .*did you mean 'price'\?"):
        make(shop, prize=2)
    with pytest.raises(UserError, match=r"env\.results: Input should be less than or equal to 10"):
        make("search", results=11)


def test_a_registered_class_is_made_by_both_names_and_its_name_is_its_own():
    register_env("contract_adder", Adder)
    register_env("contract_adder", Adder)
    assert type(make("contract_adder")) is type(gymnasium.make("agent_rl/ContractAdder-v0").unwrapped) is Adder
    with pytest.raises(UserError, match="environment 'contract_adder' is registered already"):
        register_env("contract_adder", Countdown)


def test_an_environment_without_tasks_demonstrations_or_solutions_says_so():
    with pytest.raises(UserError, match="Countdown has no tasks"):
        Countdown().tasks("train")
    with pytest.raises(UserError, match="Adder has no solutions"):
        Adder().solution(Task("x", ()))
