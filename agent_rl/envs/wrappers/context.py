"""Context-window policies: what of a long conversation the policy goes on reading.

A rollout goes on in a new trajectory whose prompt is the rewritten conversation, so that the tokens stay exact: each
trajectory holds what the policy read and wrote, and all of them share the episode's outcome.
"""

from abc import abstractmethod
from typing import Any

from pydantic import NonNegativeInt, PositiveInt

from agent_rl.core.context import count
from agent_rl.core.message import Message, images_of, text, text_of
from agent_rl.core.settings import Settings
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.wrappers.base import AgentWrapper
from agent_rl.envs.wrappers.conversation import shortened, tokens_of, turns_of, writable

DROPPED = "[This answer was left out to save space.]"


class ContextWrapper(AgentWrapper):
    """Keeps the conversation as the policy reads it. A subclass says how it is rewritten.

    A rewritten conversation is `info["context"]` of the step; the observation stays what it was. What a wrapper inside
    has rewritten is gone on from.

    Attributes:
        context: The messages that the policy reads next.
        first: How many of them began the episode; they are never rewritten.
    """

    context: list[Message]
    first: int

    @abstractmethod
    async def rewritten(self) -> list[Message] | None:
        """Return what the policy is to read in the place of `context`; None for no change."""

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode, whose first messages always stay."""
        observation, info = await super().areset(seed=seed, options=options)
        self.context, self.first, self._counts = list(observation), len(observation), dict[str, int]()
        return observation, info

    async def astep(self, action: Message) -> StepResult:
        """Take a turn; unless the episode ends with it, look whether the conversation is to be rewritten."""
        observation, reward, terminated, truncated, info = await super().astep(action)
        if "context" in info:
            self.context = list(info["context"])
            self.first = next(iter(self.turns()), len(self.context))
        else:
            self.context += [action, *observation]
        if terminated or truncated:
            return observation, reward, terminated, truncated, info
        rewritten = await self.rewritten()
        if rewritten is not None:
            self.context = writable(rewritten)
            info = info | {"context": list(self.context)}
        return observation, reward, terminated, truncated, info

    def tokens(self) -> int:
        """Return the tokens of `context`, without images and templates."""
        return tokens_of(self.context, self._counts)

    def turns(self) -> list[int]:
        """Return the places in `context` at which the turns begin."""
        return turns_of(self.context)


class DropOptions(Settings):
    """Which observations stay."""

    keep: PositiveInt = 1
    """The newest so many turns keep their answers; those of older turns are replaced by a short note."""
    above: NonNegativeInt = 0
    """Tokens of the conversation above which answers are dropped; with 0, as soon as there are older ones."""


class DropObservations(ContextWrapper):
    """Replaces the environment's answers to older turns by a note; what the policy said stays.

    Every answer that is left out is counted as `context/dropped`.
    """

    Options = DropOptions
    options: DropOptions

    async def rewritten(self) -> list[Message] | None:
        """Replace what is older than the newest turns, once the conversation is long enough."""
        turns = self.turns()
        if len(turns) <= self.options.keep or self.tokens() <= self.options.above:
            return None
        old = [place for place in range(self.first, turns[-self.options.keep]) if _answers(self.context[place])]
        count("context/dropped", len(old))
        rewritten = list(self.context)
        for place in old:
            rewritten[place] = {**rewritten[place], "content": DROPPED}
        return rewritten if old else None


class TruncateOptions(Settings):
    """How long a tool's answer may be."""

    tokens: PositiveInt = 512
    """Tokens of one answer, as the policy counts them; what is beyond is cut, and the policy sees that it was."""


class TruncateToolOutput(AgentWrapper):
    """Cuts long answers of tools before the policy reads them; each is counted as `context/cut`."""

    Options = TruncateOptions
    options: TruncateOptions

    async def astep(self, action: Message) -> StepResult:
        """Take a turn and cut what tools answered, in a rewritten conversation too."""
        observation, reward, terminated, truncated, info = await super().astep(action)
        if "context" in info:
            info = info | {"context": [self._cut(message) for message in info["context"]]}
        return [self._cut(message) for message in observation], reward, terminated, truncated, info

    def _cut(self, message: Message) -> Message:
        if message["role"] != "tool":
            return message
        said, images = text_of(message), images_of(message)
        kept = shortened(said, self.options.tokens)
        if kept == said:
            return message
        count("context/cut")
        return {**message, "content": [text(kept), *images] if images else kept}


def _answers(message: Message) -> bool:
    return message["role"] in ("tool", "user") and text_of(message) != DROPPED
