"""Task sets that are drawn from a seed instead of read from a file, and demonstrations of how they are solved."""

import copy
from collections.abc import Callable
from random import Random
from typing import TypeVar

from pydantic import Field

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.message import text_of
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.tool_env import ToolEnv

SPLITS = ("train", "test")
TEST_SHARE = 0.25
"""Share of all that can be drawn that only the split "test" asks."""
_PATIENCE = 2000
_E = TypeVar("_E", bound=ToolEnv)


class GeneratedSettings(Settings):
    """Settings of every environment whose tasks are generated."""

    train_tasks: int = Field(default=1000, ge=1)
    """Tasks of the split "train"."""
    test_tasks: int = Field(default=200, ge=1)
    """Tasks of the split "test"."""
    seed: int = 0
    """What all tasks are drawn from; another seed gives other tasks."""


def generate(draw: Callable[[Random, str], Task], split: str, settings: GeneratedSettings, name: str) -> TaskSet:
    """Return the tasks of a split, drawn by `draw(rng, id)`: no two ask the same, in both splits taken together.

    A hash of what a task asks, its last message, says which split it belongs to, so that neither split depends on the
    size of the other.

    Args:
        draw: Draws a task with the id it is given.
        split: "train" or "test".
        settings: How many there are to be, and the seed.
        name: The environment, which has random numbers of its own.

    Raises:
        UserError: There is no such split, or there are not as many different tasks as asked for.
    """
    if split not in SPLITS:
        raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})")
    count = settings.train_tasks if split == "train" else settings.test_tasks
    rng = Random(derive(settings.seed, f"{name}/tasks", split))
    tasks: list[Task] = []
    seen: set[str] = set()
    vain = 0
    while len(tasks) < count:
        task = draw(rng, f"{split}-{len(tasks):05d}")
        asked = text_of(task.messages[-1])
        if asked in seen or split_of(asked) != split:
            vain += 1
            if vain > _PATIENCE:
                raise UserError(f"env.{split}_tasks={count}: with these settings about {len(tasks)} can be drawn")
            continue
        vain = 0
        seen.add(asked)
        tasks.append(task)
    return TaskSet(tasks, split)


def split_of(asked: str) -> str:
    """Return the split that a question belongs to."""
    return "test" if derive(0, "generated/split", asked) % 1000 < TEST_SHARE * 1000 else "train"


def played(env: _E, task: Task) -> _E:
    """Return a copy of `env`, which itself stays as it is, in which the solution of `task` has been played."""
    stage = copy.copy(env)
    stage.reset(options={"task": task})
    for action in stage.solution(task):
        stage.step(action)
    return stage


def demonstration(env: ToolEnv, rng: Random) -> Demonstration:
    """Return the solution of a training task, drawn by `rng`, as it is played."""
    tasks = env.task_set("train")
    stage = played(env, tasks[rng.randrange(len(tasks))])
    return Demonstration(stage.messages, [tool.schema() for tool in stage.tools()])
