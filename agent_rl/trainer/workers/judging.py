"""What workers that judge finished episodes are given, and what they say."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from agent_rl.core.message import Message


class Conversation(NamedTuple):
    """A finished episode, as whoever judges it reads it.

    Attributes:
        messages: All that was said.
        tools: The schemas of the tools that the policy was offered.
        tokens: The same as the policy's tokens.
    """

    messages: list[Message]
    tools: list[dict[str, Any]]
    tokens: list[int]


class Judgement(NamedTuple):
    """What is said of an episode.

    Attributes:
        score: Its score; None where none could be found.
        problem: Why not.
        cut: Whether not all of it could be read.
    """

    score: float | None
    problem: str = ""
    cut: bool = False


class JudgeWorker(Protocol):
    """A worker that judges finished episodes."""

    def judge(self, conversations: Sequence[Conversation]) -> list[Judgement]:
        """Return what it says of each."""
        ...
