"""Actions of a Gymnasium space, as words: described to an agent, and read back from what it says."""

import json
from typing import Any

import numpy as np
from gymnasium import spaces

from agent_rl.core.errors import UserError

_SHOWN = 80  # characters of an illegal action that are told back


class IllegalActionError(Exception):
    """What an agent said is no legal action; the text tells the agent why."""


class Actions:
    """The actions of one space: `Discrete`, `MultiDiscrete`, `MultiBinary` or `Box`."""

    def __init__(self, space: spaces.Space[Any], names: dict[int, str]) -> None:
        """Describe `space`; `names` says what the numbers of a `Discrete` one mean, as far as it is known.

        Raises:
            UserError: The space is of another kind.
        """
        if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary | spaces.Box):
            raise UserError(f"env.id: an agent cannot say actions of the space {space}")
        self._space = space
        self._names = names

    @property
    def kind(self) -> Any:
        """The type of a tool's argument that holds an action."""
        if isinstance(self._space, spaces.Discrete):
            return int | str
        number = float if isinstance(self._space, spaces.Box) else int
        return list[number] if len(self._space.shape or ()) == 1 else list[Any]  # type: ignore[valid-type]

    def listed(self, mask: Any = None) -> str:
        """Return the actions that there are; of a `Discrete` space those that are 1 in `mask`, if one is given."""
        if isinstance(self._space, spaces.Discrete):
            return ", ".join(self._named(number) for number in self._numbers(mask))
        shape = "x".join(map(str, self._space.shape or (1,)))
        if isinstance(self._space, spaces.Box):
            return f"a list of {shape} numbers from {_plain(self._space.low)} to {_plain(self._space.high)}"
        if isinstance(self._space, spaces.MultiBinary):
            return f"a list of {shape} numbers, each 0 or 1"
        last = self._space.start + self._space.nvec - 1
        return f"a list of {shape} whole numbers from {_plain(self._space.start)} to {_plain(last)}"

    def read(self, said: Any, mask: Any = None) -> Any:
        """Return the action that `said` (a number, a name, a list, or text of one of these) stands for.

        Raises:
            IllegalActionError: It stands for none, or for one that `mask` forbids.
        """
        value = self._number(said, mask) if isinstance(self._space, spaces.Discrete) else self._array(said)
        if value is None:
            raise IllegalActionError(
                f"'{str(said)[:_SHOWN]}' is not a legal action. Legal actions: {self.listed(mask)}"
            )
        return value

    def _number(self, said: Any, mask: Any) -> Any:
        word = str(said).strip().strip("'\"").casefold()
        legal = self._numbers(mask)
        found = [number for number in legal if word in (str(number), self._names.get(number, "").casefold())]
        if not found:  # a word that only one of the names has, such as "left" of "Move left"
            found = [n for n in self._numbers(None) if word in _words(self._names.get(n, ""))]
            found = [n for n in found if n in legal] if len(found) == 1 else []
        return self._space.dtype.type(found[0]) if found and self._space.dtype is not None else None

    def _array(self, said: Any) -> Any:
        try:
            given = np.array(json.loads(said) if isinstance(said, str) else said, dtype=np.float64)
            with np.errstate(
                all="ignore"
            ):  # what cannot be held by the space's type becomes something else, seen below
                value = given.reshape(self._space.shape or ()).astype(self._space.dtype)
        except (ValueError, TypeError, RecursionError):
            return None
        exact = isinstance(self._space, spaces.Box) or bool((value == given.reshape(value.shape)).all())
        return value if exact and self._space.contains(value) else None

    def _numbers(self, mask: Any) -> list[int]:
        assert isinstance(self._space, spaces.Discrete)
        first, size = int(self._space.start), int(self._space.n)
        return [first + i for i in range(size) if mask is None or mask[i]]

    def _named(self, number: int) -> str:
        return f"{number} ({self._names[number]})" if number in self._names else str(number)


def _words(name: str) -> list[str]:
    return name.casefold().replace("(", " ").replace(")", " ").split()


def _plain(bound: Any) -> str:
    """Return a bound as one number where it is the same everywhere, else as a list."""
    values = np.asarray(bound).reshape(-1).tolist()
    return f"{values[0]:g}" if len(set(values)) == 1 else "[" + ", ".join(f"{value:g}" for value in values) + "]"
