"""The agent without a model: it says what the environment's own solution of the task says."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agent_rl.core.context import estimated_tokens
from agent_rl.core.message import Message
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.agents.base import Action


class Follower:
    """Says the messages of a script, one a turn, each asked for when the one before has been answered."""

    def follow(self, messages: Iterable[Message]) -> None:
        """Say these from now on."""
        self._script: Iterator[Message] = iter(messages)

    def line(self, number: int) -> Message:
        """Return what is said in turn `number`.

        Raises:
            BrokenEnvironmentError: The script has ended, the episode has not.
        """
        message = next(self._script, None)
        if message is None:
            raise BrokenEnvironmentError("environment", f"its solution ends after {number} turns, the episode does not")
        return message


class ScriptedAgent(Follower):
    """Speaks by messages. Its trajectories have no tokens, and limits that count tokens do not hold for it."""

    def begin(self, trajectory: Trajectory, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        """Hold nothing: the script knows the conversation."""

    async def act(self, number: int) -> Action | None:
        """Say the next message.

        Raises:
            BrokenEnvironmentError: There is none.
        """
        return Action(self.line(number))

    def hear(self, messages: Sequence[Message]) -> bool:
        """Take the environment's answer, which always fits."""
        return True

    def count_tokens(self, text: str) -> int:
        """Estimate the number of tokens of a text: there is no tokenizer."""
        return estimated_tokens(text)

    def end(self) -> None:
        """Hold nothing."""
