"""What holds of MyEnv: every task can be solved, and nothing else is rewarded."""

import pytest
from my_env import MyEnv

from agent_rl.core.message import Message, assistant, tool_call

SPLITS = ["train", "test"]


def reward_of(env: MyEnv, town: str, *actions: Message) -> float:
    """Return the reward of playing `actions` in the training task about `town`."""
    env.reset(options={"split": "train", "task_id": town})
    return sum(env.step(action)[1] for action in actions)


@pytest.mark.parametrize("split", SPLITS)
def test_every_task_can_be_solved(split: str) -> None:
    env = MyEnv()
    for task in env.tasks(split):
        env.reset(options={"task": task})
        assert sum(env.step(action)[1] for action in env.solution(task)) == 1.0


def test_no_task_is_in_both_splits() -> None:
    train, test = ({task.id for task in MyEnv().tasks(split)} for split in SPLITS)
    assert not train & test


def test_the_tool_finds_a_fact_and_says_when_there_is_none() -> None:
    env = MyEnv()
    env.reset(seed=0)
    calls = [tool_call("search", {"query": f"the river of {town}"}, place) for place, town in enumerate(["Arlen", "X"])]
    observation, reward, terminated, truncated, _ = env.step(assistant("", calls))
    assert [message["content"] for message in observation] == ["the river of Arlen is Bru.", "Nothing found."]
    assert (reward, terminated, truncated) == (0.0, False, False)


@pytest.mark.parametrize("wrong", ["Answer: Orme", "Answer:", "", "I do not know."])
def test_a_wrong_answer_gets_nothing(wrong: str) -> None:
    assert reward_of(MyEnv(), "Arlen", assistant(wrong)) == 0.0


def test_letter_case_counts_only_if_the_settings_say_so() -> None:
    answer = assistant("Answer: bru ")
    assert reward_of(MyEnv(), "Arlen", answer) == 1.0
    assert reward_of(MyEnv(strict=True), "Arlen", answer) == 0.0
