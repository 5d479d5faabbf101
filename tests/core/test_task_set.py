"""A task set keeps its order, finds tasks by place and by id, and refuses what cannot be indexed."""

from random import Random

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.message import user
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task, TaskSet

TASKS = [Task(name, (user(name),)) for name in ("c", "a", "b")]


def test_tasks_keep_their_order_and_are_found_by_place_and_by_id():
    tasks = TaskSet(TASKS, "test")
    assert list(tasks) == TASKS
    assert len(tasks) == 3
    assert tasks.split == "test"
    assert tasks[1] is tasks["a"] is TASKS[1]
    assert tasks[-1] is TASKS[2]


def test_changing_the_list_afterwards_does_not_change_the_set():
    given = list(TASKS)
    tasks = TaskSet(given, "test")
    given.reverse()
    assert list(tasks) == TASKS


def test_an_empty_split_is_refused():
    with pytest.raises(UserError, match="split 'test' has no tasks"):
        TaskSet([], "test")


def test_repeated_ids_are_refused_with_their_number():
    with pytest.raises(UserError, match="split 'train' has 2 repeated task ids"):
        TaskSet([TASKS[0], TASKS[1], TASKS[0], TASKS[1]], "train")


def test_each_epoch_has_an_order_of_its_own_that_hangs_on_the_seed():
    tasks = TaskSet([Task(f"t{i}", ()) for i in range(20)], "train")
    orders = [tasks.order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len(set(map(tuple, orders))) == 4
    shuffled = list(range(20))
    Random(derive(1, "epoch", 0)).shuffle(shuffled)
    assert orders[2] == shuffled


def test_a_run_goes_through_one_epoch_after_the_other():
    tasks = TaskSet([Task(f"t{i}", ()) for i in range(7)], "train")
    met = [tasks.at(place, seed=3) for place in range(21)]
    assert met == [tasks[i] for epoch in range(3) for i in tasks.order(3, epoch)]
