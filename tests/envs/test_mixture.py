"""Mixtures: several environments as one, their tasks by weight, their settings below their names."""

import asyncio
import threading
from collections import Counter
from itertools import islice
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import Task, TaskSet, ToolEnv, make, register_env, reward, tool
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call, user
from agent_rl.core.settings import Settings
from agent_rl.envs.base import Demonstration, Finding
from agent_rl.envs.checker import check_environment
from agent_rl.envs.mixture import MixedTaskSet
from agent_rl.envs.section import EnvSection


class SumsSettings(Settings):
    """Settings of the sums."""

    offset: int = 0
    """What is added to every sum."""


class Sums(ToolEnv):
    """Adds one."""

    Settings = SumsSettings
    closed = 0

    def tasks(self, split: str) -> list[Task]:
        numbers = range(6) if split == "train" else range(6, 9)
        return [Task(f"{i}", (user(f"{i}+1?"),), str(i + 1), {"even": i % 2 == 0}) for i in numbers]

    @tool
    def add(self, a: int, b: int) -> int:
        """Add."""
        return a + b + self.settings.offset

    @reward(weight=2)
    def correct(self, task: Task, answer: str) -> float:
        assert task.id.isdigit() and "env" not in task.attributes
        return float(answer == task.answer)

    def solution(self, task: Task):
        yield assistant("", [tool_call("add", {"a": int(task.id), "b": 1})])
        yield assistant(self.messages[-1]["content"])

    def demonstrate(self, rng: Random) -> Demonstration:
        return Demonstration([user("sum"), assistant("")], [])

    def check(self):
        yield Finding("sums", None, "a figure")

    def close(self) -> None:
        type(self).closed += 1


class Echo(ToolEnv):
    """Wants its own words back."""

    def tasks(self, split: str) -> list[Task]:
        return [Task(f"{split}/{word}", (user(word),), word) for word in (["a", "b"] if split == "train" else ["c"])]

    @reward
    def correct(self, task: Task, answer: str) -> float:
        return float(answer == task.answer)

    def solution(self, task: Task):
        return [assistant(task.answer)]

    def demonstrate(self, rng: Random) -> Demonstration:
        return Demonstration([user("echo"), assistant("")], [])


register_env("sums", Sums)
register_env("echo", Echo)
BOTH = "[sums,echo]"


def members(tasks: TaskSet, order: list[int]) -> list[str]:
    return [tasks[place].attributes["env"] for place in order]


def test_a_mixture_has_the_tasks_of_all_named_after_their_member():
    tasks = make(BOTH).task_set("train")
    assert len(tasks) == 8
    assert tasks["sums/3"] == Task("sums/3", (user("3+1?"),), "4", {"even": False, "env": "sums"})
    assert tasks["echo/train/a"].attributes == {"env": "echo"}


def test_an_episode_is_one_of_the_member_whose_task_it_is():
    env = make(BOTH, sums={"offset": 5})
    messages, info = env.reset(options={"task_id": "sums/3"})
    assert (messages, info["task_id"]) == ([user("3+1?")], "sums/3")
    assert [tool["function"]["name"] for tool in info["tools"]] == ["add"]
    assert env.step(assistant("", [tool_call("add", {"a": 3, "b": 1})]))[0][0]["content"] == "9"
    assert env.step(assistant("4"))[1] == 2.0
    assert env.reset(options={"task_id": "echo/train/b"})[1]["tools"] == []
    assert env.step(assistant("b"))[1] == 1.0


def test_without_a_task_the_seed_draws_one():
    drawn = {make(BOTH).reset(seed=seed)[1]["task_id"].partition("/")[0] for seed in range(20)}
    assert drawn == {"sums", "echo"}
    assert make(BOTH).reset(seed=3) == make(BOTH).reset(seed=3) == asyncio.run(make(BOTH).areset(seed=3))


@pytest.mark.parametrize(("weights", "share"), [([], (4, 4)), ([3, 1], (6, 2)), ([1, 3], (2, 6))])
def test_a_run_meets_the_members_by_weight_in_every_stretch(weights, share):
    tasks = make(BOTH, weights=weights).task_set("train")
    for epoch in range(3):
        met = members(tasks, tasks.order(0, epoch))
        assert (met.count("sums"), met.count("echo")) == share
        assert {met[i : i + 4].count("sums") for i in (0, 4)} == {share[0] // 2}


def test_a_member_is_gone_through_before_it_comes_round_again_each_time_in_a_new_order():
    tasks = make(BOTH, weights=[1, 3]).task_set("train")
    echoes = [tasks[place].id for place in tasks.order(0, 0) if tasks[place].attributes["env"] == "echo"]
    assert [set(echoes[i : i + 2]) for i in (0, 2, 4)] == [{"echo/train/a", "echo/train/b"}] * 3
    orders = {tuple(tasks.order(seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) > 4
    assert tasks.order(1, 2) == make(BOTH, weights=[1, 3]).task_set("train").order(1, 2)


def test_an_evaluation_meets_each_task_once_and_the_members_by_weight_as_long_as_they_last():
    tasks = [*make(BOTH, weights=[1, 1]).task_set("train")]
    assert [task.id for task in tasks] == [
        "sums/0", "echo/train/a", "sums/1", "echo/train/b", "sums/2", "sums/3", "sums/4", "sums/5",
    ]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 20), st.floats(0.01, 100)), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_no_member_is_ever_far_from_its_share(sizes_and_weights, epoch):
    sizes, weights = zip(*sizes_and_weights, strict=True)
    tasks = [[Task(f"{m}/{i}", ()) for i in range(size)] for m, size in enumerate(sizes)]
    mixed = MixedTaskSet([TaskSet(part, "train") for part in tasks], weights, tasks)
    assert sorted(task.id for task in mixed) == sorted(task.id for part in tasks for task in part)
    order, met = mixed.order(0, epoch), Counter()
    assert len(order) == len(mixed)
    for place, task in enumerate((mixed[i] for i in order), start=1):
        met[int(task.id.partition("/")[0])] += 1
        shares = [place * weight / sum(weights) for weight in weights]
        assert all(abs(met[m] - share) < len(weights) for m, share in enumerate(shares))


def test_demonstrations_are_drawn_by_weight():
    env = make(BOTH, weights=[1, 9])
    shown = Counter(env.demonstrate(Random(i)).messages[0]["content"] for i in range(300))
    assert 240 < shown["echo"] < 298


def test_the_check_proves_a_mixture_and_hears_its_members():
    found = {f.name: f for f in check_environment(EnvSection.model_validate({"name": ["sums", "echo"]}))}
    assert [name for name, finding in found.items() if finding.passed is False] == []
    assert found["solution"].seen == "4 of 4 get all of the reward"
    assert "sums: sums" in found


def test_members_are_made_when_they_are_played_and_closed_with_the_mixture():
    before = Sums.closed
    env = make(BOTH)
    env.reset(options={"task": Task("echo/x", (user("x"),), "x")})
    env.close()
    assert Sums.closed == before
    env.reset(options={"task": Task("sums/1", (user("x"),), "x")})
    env.close()
    assert Sums.closed == before + 1


def test_a_section_names_a_mixture_as_it_is_written_and_keeps_its_members_settings():
    section = EnvSection.model_validate({"name": ["sums", "echo"], "weights": [2, 1], "sums": {"offset": 2}})
    assert (section.name, section.label) == (BOTH, "sums+echo")
    assert EnvSection.model_validate(section.model_dump()) == section
    assert [*islice((task.id for task in section.build().task_set("test")), 2)] == ["sums/6", "echo/test/c"]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        (BOTH, {"weights": [1]}, r"there are 2 members \(sums, echo\), give one weight each"),
        (BOTH, {"weights": [1, 0]}, "greater than 0"),
        (BOTH, {"sums": {"ofset": 1}}, r"env\.sums\.ofset: Extra inputs"),
        (BOTH, {"tasks": "f.jsonl"}, r"give env\.MEMBER\.tasks"),
        (BOTH, {"sum": {}}, r"env\.sum: .* did you mean 'sums'\?"),
        ("[sums,sums]", {}, "of different names"),
        ("[sums,eco]", {}, "unknown environment 'eco', did you mean 'echo'"),
        ("[]", {}, "one or more environments"),
    ],
)
def test_what_is_wrong_with_a_mixture_is_said(name, given, told):
    with pytest.raises(UserError, match=told):
        make(name, **given)


def test_a_task_of_no_member_is_refused():
    with pytest.raises(UserError, match="no member 'sum', did you mean 'sums'"):
        make(BOTH).reset(options={"task": Task("sum/1", ())})


class Heavy(Echo):
    """Takes its time to be made, and cannot be closed."""

    made_in: ClassVar[list[threading.Thread]] = []

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.made_in.append(threading.current_thread())

    def close(self) -> None:
        raise OSError("stuck")


register_env("heavy", Heavy)


def test_a_member_is_made_beside_the_event_loop_and_one_that_cannot_be_closed_keeps_no_other_open():
    env, task = make("[sums,heavy]"), Task("heavy/train/a", (user("a"),), "a")
    Heavy.made_in.clear()
    asyncio.run(env.areset(options={"task": task}))
    assert [thread is not threading.current_thread() for thread in Heavy.made_in] == [True]
    env.member("sums")
    Sums.closed = 0
    with pytest.raises(OSError, match="stuck"):
        env.close()
    assert Sums.closed == 1
