"""AgentWrapper: a Gymnasium wrapper that rollouts step without blocking."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, ClassVar, cast

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from agent_rl.core.message import Message
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import AgentEnv, Demonstration, Finding, Observation, ResetResult, StepResult

ChatEnv = gymnasium.Env[Observation, Message]


class AgentWrapper(gymnasium.Wrapper[Observation, Message, Observation, Message], RecordConstructorArgs, AgentEnv):
    """Changes what an environment says or hears, as Gymnasium's wrappers do, and is an `AgentEnv` itself.

    A subclass writes `areset` or `astep` or both, and calls `super()`'s to reach what it wraps; `reset` and `step`
    follow. It may wrap any environment of chat, other wrappers included; one that has only the synchronous pair, such
    as those of `gymnasium.wrappers`, is stepped in a thread. Tasks, solutions, demonstrations and settings are those
    of what it wraps.
    """

    Options: ClassVar[type[Settings]] = Settings
    """What the wrapper itself can be told, beside the environment's `Settings`."""

    def __init__(self, env: ChatEnv, **options: Any) -> None:
        """Wrap `env`; validate `options` against the class's `Options`."""
        RecordConstructorArgs.__init__(self, **options)
        gymnasium.Wrapper.__init__(self, env)
        self.options = self.Options(**options)
        self.settings = env.get_wrapper_attr("settings") if env.has_wrapper_attr("settings") else Settings()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a subclass that writes a synchronous twin, which rollouts would go around."""
        super().__init_subclass__(**kwargs)
        for plain in ("reset", "step"):
            if getattr(cls, plain) is not getattr(AgentEnv, plain):
                raise TypeError(f"{cls.__name__} must write a{plain}, which {plain} follows")

    reset = AgentEnv.reset
    step = AgentEnv.step

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Reset what is wrapped."""
        inner = self.env
        if isinstance(inner, AgentEnv):
            return await inner.areset(seed=seed, options=options)
        return await in_thread(lambda: inner.reset(seed=seed, options=options))

    async def astep(self, action: Message) -> StepResult:
        """Step what is wrapped."""
        inner = self.env
        if isinstance(inner, AgentEnv):
            return await inner.astep(action)
        return await in_thread(lambda: cast(StepResult, inner.step(action)))

    def tasks(self, split: str) -> TaskSet:
        """Return the task set of `split` of what is wrapped."""
        return self.task_set(split)

    def task_set(self, split: str) -> TaskSet:
        """Return the task set of `split` of what is wrapped."""
        return cast(TaskSet, self.env.get_wrapper_attr("task_set")(split))

    def best_reward(self, task: Task) -> float:
        """Return the reward that the environment gives for solving `task`."""
        return float(self.env.get_wrapper_attr("best_reward")(task))

    def solution(self, task: Task) -> Iterable[Message]:
        """Return the solution that what is wrapped gives."""
        return cast(Iterable[Message], self.env.get_wrapper_attr("solution")(task))

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a demonstration by what is wrapped."""
        return cast(Demonstration, self.env.get_wrapper_attr("demonstrate")(rng))

    def check(self) -> Iterator[Finding]:
        """Yield what the environment checks of itself."""
        yield from self.env.get_wrapper_attr("check")()


def awaitable(env: ChatEnv) -> AgentEnv:
    """Return `env` itself, or wrapped so that what has only the synchronous pair can be awaited."""
    return env if isinstance(env, AgentEnv) else AgentWrapper(env)
