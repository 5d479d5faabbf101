"""Gymnasium spaces of chat messages."""

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces

from agent_rl.core.message import Message, assistant, user

_WORDS = ("yes", "no", "hello", "Answer: 42", "why?")


class MessageSpace(spaces.Space[Message]):
    """One assistant message: what an agent does."""

    def __init__(self, seed: int | None = None) -> None:
        """Create the space; `seed` seeds `sample`."""
        super().__init__(seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Messages are not arrays."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> Message:
        """Return a short assistant message without tool calls."""
        return assistant(_WORDS[int(self.np_random.integers(len(_WORDS)))])

    def contains(self, x: Any) -> bool:
        """Return whether `x` is an assistant message."""
        return _is_message(x) and x["role"] == "assistant"

    def __repr__(self) -> str:
        """Name the space."""
        return "MessageSpace()"

    def __eq__(self, other: object) -> bool:
        """All message spaces are alike."""
        return isinstance(other, MessageSpace)


class ChatSpace(spaces.Space[list[Message]]):
    """A list of messages: what is new to the agent since its last action."""

    def __init__(self, seed: int | None = None) -> None:
        """Create the space; `seed` seeds `sample`."""
        super().__init__(seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Messages are not arrays."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> list[Message]:
        """Return one user message."""
        return [user(_WORDS[int(self.np_random.integers(len(_WORDS)))])]

    def contains(self, x: Any) -> bool:
        """Return whether `x` is a list of messages."""
        return isinstance(x, list) and all(_is_message(message) for message in x)

    def __repr__(self) -> str:
        """Name the space."""
        return "ChatSpace()"

    def __eq__(self, other: object) -> bool:
        """All chat spaces are alike."""
        return isinstance(other, ChatSpace)


def _is_message(x: Any) -> bool:
    if not isinstance(x, Mapping) or x.get("role") not in ("system", "user", "assistant", "tool"):
        return False
    content = x.get("content")
    if isinstance(content, list) and x["role"] != "assistant":  # what an agent says is text
        return all(_is_part(part) for part in content)
    return isinstance(content, str)


def _is_part(x: Any) -> bool:
    if not isinstance(x, Mapping):
        return False
    if x.get("type") == "text":
        return isinstance(x.get("text"), str)
    place = x.get("image_url")
    return x.get("type") == "image_url" and isinstance(place, Mapping) and isinstance(place.get("url"), str)
