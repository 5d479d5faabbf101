"""Calls that are wrapped twice: a section for all of them, and a pair of tags for each."""

from collections.abc import Callable
from dataclasses import dataclass

from agent_rl.tools.call_formats.base import Call, Turn


@dataclass(frozen=True)
class Section:
    """The tags of the section and of each call in it."""

    begin: str
    end: str
    opening: str
    closing: str

    @property
    def tags(self) -> tuple[str, str, str, str]:
        """All four tags."""
        return self.begin, self.end, self.opening, self.closing

    def write(self, bodies: list[str], between: str = "") -> str:
        """Return the section with a call for each of `bodies`; nothing without calls."""
        calls = between.join(f"{self.opening}{body}{self.closing}" for body in bodies)
        return f"{self.begin}{calls}{self.end}" if bodies else ""

    def read(self, turn: Turn, text: str, reader: Callable[[str], Call]) -> None:
        """Read the calls between their tags, whether the section's are there or not; the rest is content."""
        inner = text.replace(self.begin, "").replace(self.end, "")
        turn.blocks(inner, self.opening, self.closing, reader)
        if self.begin in text and self.opening not in inner:
            turn.reject(text.partition(self.begin)[2], f"{self.opening} is missing after {self.begin}")
