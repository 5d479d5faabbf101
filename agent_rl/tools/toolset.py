"""Tools with state: a class of tools whose instance lives as long as an episode, a group or a run."""

from typing import Any, ClassVar, Literal, TypeVar, get_args

from agent_rl.core import scopes
from agent_rl.core.context import current
from agent_rl.tools.tool import Tool

Lifetime = Literal["episode", "group", "run"]
S = TypeVar("S", bound="ToolSet")


class ToolSet:
    """Tools that share a state: `class Browser(ToolSet, lives="episode")` with `@tool` methods.

    An environment has it by `toolsets = [Browser]`. It is made without arguments when the first episode of its lifetime
    begins, and its `close`, plain or async, is called if it has one: at the end of the episode, when all episodes of
    the group have ended, or at the end of the run. One that lives longer than an episode serves several at once. A run
    has one in each of its processes.
    """

    lives: ClassVar[Lifetime] = "episode"

    def __init_subclass__(cls, lives: Lifetime | None = None, **kwargs: Any) -> None:
        """Note how long an instance lives: an episode, unless this class or a base says otherwise.

        Raises:
            TypeError: That is none of episode, group and run.
        """
        super().__init_subclass__(**kwargs)
        if lives is not None and lives not in get_args(Lifetime):
            raise TypeError(f"{cls.__name__}: lives='{lives}' must be one of {', '.join(get_args(Lifetime))}")
        cls.lives = lives or cls.lives

    def tools(self) -> list[Tool]:
        """Return every `@tool` of the class, its bases' first, in the order of declaration."""
        declared: dict[str, Any] = {}
        for base in reversed(type(self).__mro__):
            declared |= vars(base)
        return [getattr(self, name) for name, value in declared.items() if isinstance(value, Tool)]


def instance(cls: type[S]) -> S:
    """Return the instance of `cls` that the current episode uses; outside a rollout a new one, which nobody closes.

    It takes as long as the class takes to make one: call it in a thread.
    """
    context = current()
    scope = {"episode": context.episode, "group": context.group, "run": scopes.RUN}[cls.lives]
    return scopes.keep(scope, cls, cls) if scope else cls()
