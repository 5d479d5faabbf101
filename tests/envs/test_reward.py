"""`@reward`: components that ask for what they need, with weights, bound to their environment."""

import pytest

from agent_rl import Task, TaskSet, ToolEnv, reward
from agent_rl.core.message import assistant, system, user


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
