"""`@reward`: components that ask for what they need, with weights, bound to their environment."""

import asyncio

import pytest

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import assistant, system, tool_call, user
from agent_rl.core.outcome import BrokenEnvironmentError, InfrastructureError


class Scored(ToolEnv):
    """Scores an answer three ways."""

    bonus = 0.5

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([Task("t", (system("be short"), user("1+1?")), "2")], split)

    @reward
    def correct(self, task: Task, answer: str) -> bool:
        return answer == task.answer

    @reward(weight=0.25)
    def polite(self, messages) -> float:
        return self.bonus * len(messages)

    @reward(weight=-1)
    def nothing(self) -> int:
        return 1


def test_every_component_gets_what_it_asks_for_and_counts_by_its_weight():
    env = Scored()
    env.reset(seed=0)
    _, total, terminated, _, info = env.step(assistant("2"))
    assert info["components"] == {"correct": 1.0, "polite": 1.5, "nothing": 1.0}
    assert all(type(value) is float for value in info["components"].values())
    assert total == 1.0 + 0.25 * 1.5 - 1.0
    assert terminated


def test_components_bind_to_their_own_environment():
    first, second = Scored(), Scored()
    first.bonus = 10.0
    for env in (first, second):
        env.reset(seed=0)
    assert first.step(assistant(""))[4]["components"]["polite"] == 30.0
    assert second.step(assistant(""))[4]["components"]["polite"] == 1.5


def test_a_subclass_replaces_and_adds_components_in_the_order_of_declaration():
    class Other(Scored):
        @reward(weight=3)
        def polite(self) -> float:
            return 1.0

        @reward
        def extra(self, answer: str) -> float:
            return len(answer)

    assert [(part.name, part.weight) for part in Scored().rewards()] == [
        ("correct", 1.0), ("polite", 0.25), ("nothing", -1),
    ]  # fmt: skip
    assert [(part.name, part.weight) for part in Other().rewards()] == [
        ("correct", 1.0), ("polite", 3), ("nothing", -1), ("extra", 1.0),
    ]  # fmt: skip


def test_a_component_that_asks_for_something_else_is_refused_when_it_is_declared():
    with pytest.raises(TypeError, match=r"asks for \['anwser'\]; it can have task, answer, messages"):

        @reward
        def misspelt(self, task, anwser):
            return 0.0


class PerTurn(Scored):
    """Scores each turn as well, and waits for one of its scores."""

    @tool
    def think(self) -> str:
        """Think."""
        return "thought"

    @reward(weight=-0.5, per="turn")
    async def calls(self, action, observation) -> int:
        await asyncio.sleep(0)
        assert len(observation) == len(action.get("tool_calls", []))
        return len(observation)

    @reward(weight=0.125, per="turn")
    def words(self, answer, messages) -> int:
        assert messages[-1]["role"] == "tool" or messages[-1]["content"] == answer
        return len(answer.split())


def test_a_component_per_turn_counts_in_the_reward_of_every_step():
    env = PerTurn()
    env.reset(seed=0)
    _, gained, terminated, _, info = env.step(assistant("let us think", [tool_call("think", {})]))
    assert (gained, terminated, info["components"]) == (-0.5 + 3 * 0.125, False, {"calls": 1.0, "words": 3.0})
    _, gained, terminated, _, info = env.step(assistant("2"))
    assert info["components"] == {"correct": 1.0, "polite": 2.5, "nothing": 1.0, "calls": 0.0, "words": 1.0}
    assert (gained, terminated) == (1.0 + 0.25 * 2.5 - 1.0 + 0.125, True)


def test_the_best_reward_is_that_of_the_positive_components_of_the_episode():
    assert PerTurn().best_reward(Task("t", ())) == 1.25


@pytest.mark.parametrize("per", ["turn", "episode"])
def test_an_exception_of_a_component_is_the_environments_failure_and_names_it(per):
    class Broken(Scored):
        @reward(per=per)
        async def ratio(self) -> float:
            return 1 / 0

    env = Broken()
    env.reset(seed=0)
    with pytest.raises(BrokenEnvironmentError, match="ratio: ZeroDivisionError"):
        env.step(assistant("2"))


def test_an_infrastructure_failure_of_a_component_stays_one():
    class Judged(Scored):
        @reward
        async def judged(self) -> float:
            raise InfrastructureError("judge", "no answer")

    env = Judged()
    env.reset(seed=0)
    with pytest.raises(InfrastructureError, match="judge: no answer"):
        env.step(assistant("2"))


def test_only_a_component_per_turn_can_ask_for_the_turn():
    with pytest.raises(TypeError, match=r"asks for \['observation'\]; it can have task, answer, messages$"):

        @reward
        def late(self, observation):
            return 0.0

    with pytest.raises(TypeError, match="per='step' is neither 'turn' nor 'episode'"):

        @reward(per="step")
        def unknown(self):
            return 0.0
