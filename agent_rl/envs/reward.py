"""`@reward`: methods of an environment that score an episode."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SOURCES = ("task", "answer", "messages")


@dataclass(frozen=True)
class Reward:
    """A named, weighted component of the reward; as an attribute of a class it binds like a method."""

    name: str
    weight: float
    function: Callable[..., float]
    wants: tuple[str, ...]

    def __get__(self, instance: object | None, owner: type) -> "Reward":
        """Return the component bound to `instance`."""
        if instance is None:
            return self
        return Reward(self.name, self.weight, self.function.__get__(instance, owner), self.wants)

    def __call__(self, **episode: Any) -> float:
        """Return the unweighted score, handing the method the parts of the episode it asks for."""
        return float(self.function(**{name: episode[name] for name in self.wants}))


def reward(function: Callable[..., float] | None = None, *, weight: float = 1.0) -> Any:
    """Declare a method as a reward: `@reward` or `@reward(weight=0.5)`.

    It is called once when the episode ends and asks by parameter name for any of `task` (the `Task`), `answer` (the
    text of the last assistant message) and `messages` (the whole conversation). Each component is logged by its name.

    Raises:
        TypeError: The method asks for something else.
    """
    if function is None:
        return lambda decorated: reward(decorated, weight=weight)
    wants = tuple(name for name in inspect.signature(function).parameters if name != "self")
    unknown = [name for name in wants if name not in _SOURCES]
    if unknown:
        raise TypeError(f"reward {function.__qualname__} asks for {unknown}; it can have {', '.join(_SOURCES)}")
    return Reward(function.__name__, weight, function, wants)
