"""Names for things that people bring: environments, tools, algorithms."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from agent_rl.core.errors import UserError, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """A table from names to things of one kind, whose look-up errors say what exists."""

    def __init__(self, kind: str) -> None:
        """Name the kind of thing, as it is to appear in error messages."""
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Add `entry`; raise `UserError` when the name belongs to something else."""
        if self._entries.setdefault(name, entry) != entry:
            raise UserError(f"{self.kind} '{name}' is registered already")
        return entry

    def __getitem__(self, name: str) -> T:
        """Return the entry, or raise `UserError` with the names that exist."""
        if name not in self._entries:
            known = ", ".join(sorted(self._entries)) or "none"
            raise UserError(f"unknown {self.kind} '{name}'{nearest(name, self._entries)} (there are: {known})")
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        """Return whether something has this name."""
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in alphabetical order."""
        return iter(sorted(self._entries))
