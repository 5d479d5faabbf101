"""AgentEnv: the environment contract, a `gymnasium.Env` for chat."""

import asyncio
import concurrent.futures
import functools
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, TypeVar

import gymnasium
from pydantic import BaseModel, create_model

from agent_rl.core.errors import NotProvidedError
from agent_rl.core.message import Message
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.spaces import ChatSpace, MessageSpace
from agent_rl.envs.task_files import read_tasks

Observation = list[Message]
ResetResult = tuple[Observation, dict[str, Any]]
StepResult = tuple[Observation, float, bool, bool, dict[str, Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: whether it holds (None where there is only a figure), and what was seen."""

    name: str
    passed: bool | None
    seen: str


@dataclass(frozen=True)
class Demonstration:
    """A conversation to imitate: its messages, and the tools that its prompt offers."""

    messages: list[Message]
    tools: list[dict[str, Any]]


class CommonSettings(Settings):
    """What every environment can be told, beside its own settings."""

    tasks: str | None = None
    """A JSONL or parquet file of tasks, a folder of train.… and test.…, or a name with {split}; null: its own tasks."""


class AgentEnv(gymnasium.Env[Observation, Message]):
    """An environment whose observations and actions are chat messages.

    `reset` and `step` are Gymnasium's, to the letter; `areset` and `astep` are their asynchronous twins, which the
    rollout uses. A subclass writes one of each pair, the other follows. An observation is the list of messages that are
    new since the last action; an action is an assistant message.
    """

    Settings: ClassVar[type[Settings]] = Settings
    Common: ClassVar[type[CommonSettings]] = CommonSettings
    common: CommonSettings = CommonSettings()
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium declares it so)

    def __init__(self, **settings: Any) -> None:
        """Validate `settings` against the class's `Settings`, and those of every environment against `Common`."""
        shared = self.Common.model_fields.keys() - self.Settings.model_fields.keys()
        self.settings = self.Settings(**{name: value for name, value in settings.items() if name not in shared})
        self.common = self.Common(**{name: value for name, value in settings.items() if name in shared})
        self.observation_space = ChatSpace()
        self.action_space = MessageSpace()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a class that writes neither twin, which would call itself for ever."""
        super().__init_subclass__(**kwargs)
        for plain, twin in (("reset", "areset"), ("step", "astep")):
            if getattr(cls, plain) is getattr(AgentEnv, plain) and getattr(cls, twin) is getattr(AgentEnv, twin):
                raise TypeError(f"{cls.__name__} must define {plain} or {twin}")

    @classmethod
    def settings_class(cls) -> type[BaseModel]:
        """Return all that can be set as `env.…`: the class's `Settings` and what every environment can be told."""
        return _joined(cls.Settings, cls.Common)

    def tasks(self, split: str) -> TaskSet | Sequence[Task]:
        """Return the tasks of `split`, the same ones at every call. Subclasses define it; others ask `task_set`."""
        raise NotProvidedError(f"{type(self).__name__} has no tasks")

    def task_set(self, split: str) -> TaskSet:
        """Return the task set of `split`: from the file `env.tasks` if one is given, else what `tasks` returns.

        Raises:
            UserError: There is no such split, it is empty, two tasks share an id, or the file cannot be read.
        """
        if self.common.tasks is not None:
            return read_tasks(self.common.tasks, split)
        tasks = self.tasks(split)
        return tasks if isinstance(tasks, TaskSet) else TaskSet(tasks, split)

    def best_reward(self, task: Task) -> float:
        """Return the reward that solving `task` gives, all turns together; `agent-rl check` compares with it."""
        return 1.0

    def check(self) -> Iterator[Finding]:
        """Yield what `agent-rl check` is to say of this environment beside what it says of every one."""
        yield from ()

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a conversation for supervised training. Environments that can show one define it."""
        raise NotProvidedError(f"{type(self).__name__} has no demonstrations")

    def solution(self, task: Task) -> Iterable[Message]:
        """Yield the assistant messages that solve `task`, for `agent-rl check`. Environments that can define it.

        Each message is asked for when the one before has been played on this very environment, so that a generator may
        look at what came of it. For a task that the environment did not make, as those of a file, it may raise
        `NotProvidedError`.
        """
        raise NotProvidedError(f"{type(self).__name__} has no solutions")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode and return its first messages and an info dictionary."""
        return _wait_for(self.areset(seed=seed, options=options))

    def step(self, action: Message) -> StepResult:
        """Take an assistant message; return the new messages, the reward, terminated, truncated and info."""
        return _wait_for(self.astep(action))

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Do what `reset` does, without blocking the event loop."""
        return await in_thread(lambda: self.reset(seed=seed, options=options))

    async def astep(self, action: Message) -> StepResult:
        """Do what `step` does, without blocking the event loop."""
        return await in_thread(lambda: self.step(action))

    def pick(self, options: dict[str, Any] | None) -> Task:
        """Return the task that `options` names, or a random one of the split.

        `options` may hold `task` (a `Task`), or `split` (default "train") and `task_id`.
        """
        chosen = (options or {}).get("task")
        if isinstance(chosen, Task):
            return chosen
        tasks = self.task_set((options or {}).get("split", "train"))
        task_id = (options or {}).get("task_id")
        return tasks[task_id] if task_id is not None else tasks[int(self.np_random.integers(len(tasks)))]


@functools.cache
def _joined(own: type[Settings], common: type[Settings]) -> type[Settings]:
    """Return a settings class with the fields of both; where both have one, it is the environment's own."""
    if issubclass(common, own):  # the environment has no settings of its own
        return common
    return create_model(own.__name__, __base__=(own, common))


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, inside a running event loop too."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
