"""What the engine knows of an episode: its turn in flight, its row of the cache, the step it is due at."""

import asyncio
from dataclasses import dataclass, field

from agent_rl.core.trajectory import Support
from agent_rl.rollout.engines.base import Finish, Generation, Request
from agent_rl.rollout.engines.embedded.sampling import Stream


@dataclass
class Turn:
    """A request in flight and what it has sampled."""

    request: Request
    result: asyncio.Future[Generation]
    stream: Stream
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    supports: list[Support] = field(default_factory=list)

    def uncomputed(self, start: int) -> list[int]:
        """Return the tokens from position `start` on, asked for and sampled ones alike."""
        known = len(self.request.tokens)
        return self.tokens[start - known :] if start >= known else self.request.tokens[start:] + self.tokens

    def record(self, token: int, logprob: float, support: Support | None, version: int) -> Finish | None:
        """Append what was sampled; return why the turn is complete, None while it is not."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        self.versions.append(version)
        if support is not None:
            self.supports.append(support)
        if token in self.request.stop_tokens:
            return Finish.STOP
        return Finish.LENGTH if len(self.tokens) == self.request.max_new_tokens else None


@dataclass
class Episode:
    """An episode the engine knows."""

    name: str
    row: int | None = None
    turn: Turn | None = None
    due: int = 0
    closed: bool = False

    def resolve(self, finish: Finish) -> None:
        """End the turn in flight, if there is one, with what it has sampled."""
        turn, self.turn = self.turn, None
        if turn is not None and not turn.result.done():
            said = Generation(turn.tokens, turn.logprobs, finish, turn.versions, supports=turn.supports)
            turn.result.set_result(said)

    def fail(self, error: Exception) -> None:
        """End the turn in flight, if there is one, with an error."""
        if self.turn is not None and not self.turn.result.done():
            self.turn.result.set_exception(error)
            self.turn = None
