"""The engine protocol: it generates tokens from tokens."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from agent_rl.core.settings import Settings


class Sampling(Settings):
    """How tokens are drawn."""

    temperature: float = Field(default=1.0, ge=0.0)
    """Divides the logits; 0 takes the most likely token."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Draw from the smallest set of tokens that holds this much probability."""
    top_k: int = Field(default=0, ge=0)
    """Draw from this many most likely tokens; 0 from all."""


class Finish(StrEnum):
    """Why a generation ended."""

    STOP = "stop"  # a stop token was sampled; it is the last token
    LENGTH = "length"  # max_new_tokens were sampled
    ABORT = "abort"  # somebody aborted the request; the tokens are what there was


@dataclass(frozen=True)
class Request:
    """One turn to generate.

    Attributes:
        id: Unique among the requests in flight; `abort` takes it.
        episode: The episode it belongs to, as given to `Engine.open`.
        tokens: The whole conversation so far, exactly.
        max_new_tokens: Most tokens to sample, at least 1.
        stop_tokens: Tokens that end the turn; the sampled one is kept.
        seed: The request's own random stream.
        sampling: How tokens are drawn.
    """

    id: str
    episode: str
    tokens: list[int]
    max_new_tokens: int
    stop_tokens: frozenset[int]
    seed: int
    sampling: Sampling


@dataclass(frozen=True)
class Generation:
    """What was sampled.

    Attributes:
        tokens: The sampled tokens, the stop token included.
        logprobs: Log-probability (nats) of each under the temperature-scaled distribution before top_p and top_k; under
            the unscaled one when the temperature is 0.
        finish: Why it ended.
        weight_versions: The version of the weights that sampled each token.
    """

    tokens: list[int]
    logprobs: list[float]
    finish: Finish
    weight_versions: list[int]


class Engine(Protocol):
    """Generates tokens from tokens, many requests at once."""

    def open(self, episode: str) -> None:
        """Announce an episode. Announcing all of a batch before its first request lets the engine plan its order."""
        ...

    def close(self, episode: str) -> None:
        """Forget an episode, its cache and its requests in flight; harmless when it is not known."""
        ...

    async def generate(self, request: Request) -> Generation:
        """Sample one turn."""
        ...

    def abort(self, request_id: str) -> None:
        """End a request now; its `generate` returns what there is."""
        ...

    def update_weights(self, version: int) -> None:
        """Sample with the policy's newest weights from now on and call them `version`."""
        ...
