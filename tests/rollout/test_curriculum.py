"""The curriculum: more groups with a signal, the same tasks again after a resume, the shares of a mixture kept."""

import json
from collections import Counter
from random import Random

import pytest
from pydantic import ValidationError

from agent_rl import Task, TaskSet
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.trajectory import Group, Trajectory, Turn
from agent_rl.envs.mixture import MixedTaskSet
from agent_rl.rollout.curriculum import Curriculum, CurriculumSettings, make_curriculum

COUNT, SAMPLES = 8, 4
CHANCE = {"easy": 1.0, "even": 0.5, "rare": 0.1, "hopeless": 0.0}


def mixed(each: int = 10, **attributes) -> TaskSet:
    kinds = list(CHANCE)
    made = [Task(f"{kinds[i % 4]}-{i}", (), attributes={"level": kinds[i % 4], **attributes}) for i in range(4 * each)]
    return TaskSet(made, "train")


def played(task: Task, stream: Random) -> Group:
    rewards = [float(stream.random() < CHANCE[task.attributes["level"]]) for _ in range(SAMPLES)]
    return Group(task.id, [Trajectory(task.id, i, turns=[Turn(reward)]) for i, reward in enumerate(rewards)])


def learnable(tasks: TaskSet, seed: int = 0, **settings) -> Curriculum:
    return Curriculum(tasks, CurriculumSettings(order="learnable", **settings), seed, 1.0)


def step(chooser: Curriculum, number: int) -> list[Group]:
    """Play a step and return its groups, which hang on its number alone."""
    places = range(number * COUNT, (number + 1) * COUNT)
    groups = [played(chooser.task(place), Random(place)) for place in places]
    chooser.hear(zip(places, groups, strict=True))
    return groups


def signal(groups: list[Group]) -> float:
    return sum(group.informative for group in groups) / len(groups)


@pytest.mark.parametrize("by", [None, "level"])
def test_more_groups_have_a_signal_than_in_the_shuffled_order(by):
    tasks, steps = mixed(), 60
    shuffled = [played(tasks.at(place, 0), Random(place)) for place in range(steps * COUNT)]
    chooser = learnable(tasks, by=by)
    chosen = [group for number in range(steps) for group in step(chooser, number)]
    later = slice(len(chosen) // 2, None)
    assert signal(shuffled[later]) < 0.4 and signal(chosen[later]) > 0.6
    assert all(task.id in {group.task_id for group in chosen} for task in tasks)  # nothing is written off


def test_what_nothing_is_known_of_comes_as_in_the_shuffled_order():
    tasks = mixed()
    chooser = learnable(tasks, seed=3)
    met = [group.task_id for number in range(len(tasks) // COUNT) for group in step(chooser, number)]
    assert met == [tasks.at(place, 3).id for place in range(len(tasks))]


def test_a_task_is_drawn_in_proportion_to_its_learnability():
    tasks = TaskSet([Task(name, (), attributes={"level": "even"}) for name in "abcd"], "train")
    drawn: Counter[str] = Counter()
    for seed in range(2000):
        chooser = learnable(tasks, seed, explore=0.0)
        chooser.restore({"figures": {"/a": (2.0, 0.5), "/b": (1.0, 0.125), "/c": (1.0, 0.0), "/d": (4.0, 0.5)}})
        drawn[chooser.task(100).id] += 1
    assert drawn["c"] == 0
    assert [drawn[name] / 2000 for name in "abd"] == pytest.approx([0.5, 0.25, 0.25], abs=0.04)


def test_a_figure_is_the_decayed_mean_over_groups_and_old_ones_are_forgotten():
    task = Task("t", (), attributes={"level": "even"})
    chooser = learnable(TaskSet([task], "train"), decay=0.5)

    def hear(*rewards: float) -> None:
        chooser.task(0)
        chooser.hear([(0, Group("t", [Trajectory("t", i, turns=[Turn(r)]) for i, r in enumerate(rewards)]))])

    assert chooser.learnability("/t") is None
    hear(1.0, 0.0, 0.0, 0.5)
    assert chooser.learnability("/t") == 0.25 * 0.75
    hear(1.0, 0.0)
    assert chooser.learnability("/t") == pytest.approx((0.5 * 0.25 * 0.75 + 0.25) / 1.5)
    chooser.hear([])
    assert chooser.learnability("/t") is not None  # of 1.5 groups 0.75 are left
    chooser.hear([])
    assert chooser.learnability("/t") is None


def test_failed_episodes_say_nothing_of_a_task():
    failure = InfrastructureError("engine", "gone").failure()
    chooser = learnable(TaskSet([Task("t", ())], "train"))
    chooser.task(0)
    chooser.hear([(0, Group("t", [Trajectory("t", failure=failure)]))])
    assert chooser.learnability("/t") is None


@pytest.mark.parametrize("by", [None, "level"])
def test_a_resumed_run_meets_the_tasks_that_it_would_have_met(by):
    whole, first = learnable(mixed(), by=by), learnable(mixed(), by=by)
    expected = [[group.task_id for group in step(whole, number)] for number in range(30)]
    found = [[group.task_id for group in step(first, number)] for number in range(17)]
    begun = [first.task(place).id for place in range(17 * COUNT, 17 * COUNT + 3)]  # and not learned from
    state = json.loads(json.dumps(first.state(range(17 * COUNT, 17 * COUNT + 3)), sort_keys=True))
    second = learnable(mixed(), by=by)
    second.restore(state)
    assert [second.task(place).id for place in range(17 * COUNT, 17 * COUNT + 3)] == begun
    found += [[group.task_id for group in step(second, number)] for number in range(17, 30)]
    assert found == expected


def test_no_task_is_begun_twice_while_there_are_others():
    chooser = learnable(mixed(), explore=0.0)
    for number in range(40):
        assert len({group.task_id for group in step(chooser, number)}) == COUNT
    few = learnable(mixed(1), explore=0.0)
    for number in range(10):
        assert {group.task_id for group in step(few, number)} == {task.id for task in mixed(1)}


def test_a_mixture_keeps_the_shares_of_its_members():
    parts = {
        name: [Task(f"{name}/{t.id}", (), attributes=t.attributes | {"env": name}) for t in mixed(5)] for name in "ab"
    }
    tasks = MixedTaskSet([TaskSet(part, "train") for part in parts.values()], [3.0, 1.0], list(parts.values()))
    chooser = learnable(tasks)
    met = Counter(group.task_id[0] for number in range(40) for group in step(chooser, number))
    assert met == {"a": 40 * COUNT * 3 / 4, "b": 40 * COUNT / 4}


def test_the_shuffled_order_needs_no_curriculum_and_an_unknown_attribute_is_named():
    assert make_curriculum(mixed(), CurriculumSettings(), 0, 1.0) is None
    with pytest.raises(UserError, match=r"by=levle: no task has that attribute, did you mean 'level'\?"):
        make_curriculum(mixed(), CurriculumSettings(order="learnable", by="levle"), 0, 1.0)
    with pytest.raises(ValidationError, match="explore has no effect with order=shuffled"):
        CurriculumSettings(explore=0.5)
