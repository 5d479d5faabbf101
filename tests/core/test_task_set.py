"""A task set keeps its order, finds tasks by place and by id, and refuses what cannot be indexed."""

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.message import user
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
