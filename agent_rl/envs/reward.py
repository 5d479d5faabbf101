"""`@reward`: methods of an environment that score an episode, or each of its turns."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

Per = Literal["turn", "episode"]
_SOURCES: dict[str, tuple[str, ...]] = {
    "episode": ("task", "answer", "messages"),
    "turn": ("task", "answer", "messages", "action", "observation"),
}
Score = Callable[..., float | Awaitable[float]]


@dataclass(frozen=True)
class Reward:
    """A named, weighted component of the reward; as an attribute of a class it binds like a method."""

    name: str
    weight: float
    function: Score
    wants: tuple[str, ...]
    per: Per = "episode"

    def __get__(self, instance: object | None, owner: type) -> "Reward":
        """Return the component bound to `instance`."""
        return self if instance is None else replace(self, function=self.function.__get__(instance, owner))

    async def __call__(self, **episode: Any) -> float:
        """Return the unweighted score, handing the method the parts of the episode it asks for."""
        score = self.function(**{name: episode[name] for name in self.wants})
        return float(await score if inspect.isawaitable(score) else score)


@overload
def reward(function: Score) -> Any: ...


@overload
def reward(*, weight: float = 1.0, per: Per = "episode") -> Callable[[Score], Any]: ...


def reward(function: Score | None = None, *, weight: float = 1.0, per: Per = "episode") -> Any:
    """Declare a method, plain or async, as a reward: `@reward`, `@reward(weight=0.5)` or `@reward(per="turn")`.

    Per episode it is called once, when the episode ends; per turn it is called at every step, the last one too, and
    counts in that step's reward. It asks by parameter name for any of `task` (the `Task`), `answer` (the text of the
    last assistant message) and `messages` (the whole conversation so far); per turn also for `action` (the assistant's
    message) and `observation` (the messages that answer it). Each component is logged by its name, summed over the
    episode and not yet weighted.

    A plain method is called on the event loop that all episodes share: one that waits for something is to be async.

    Raises:
        TypeError: The method asks for something else, or `per` is neither "turn" nor "episode".
    """
    if function is None:
        return lambda decorated: _declared(decorated, weight, per)
    return _declared(function, weight, per)


def _declared(function: Score, weight: float, per: Per) -> Reward:
    if per not in _SOURCES:
        raise TypeError(f"reward {function.__qualname__}: per={per!r} is neither 'turn' nor 'episode'")
    wants = tuple(name for name in inspect.signature(function).parameters if name != "self")
    unknown = [name for name in wants if name not in _SOURCES[per]]
    if unknown:
        known = ", ".join(_SOURCES[per])
        raise TypeError(f"reward {function.__qualname__} asks for {unknown}; it can have {known}")
    return Reward(function.__name__, weight, function, wants, per)
