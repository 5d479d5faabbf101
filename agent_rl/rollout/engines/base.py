"""The engine protocol: it generates tokens from tokens. A host is what the rollout needs of one, and of others."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from agent_rl.core.deadlines import Excuse
from agent_rl.core.settings import Settings
from agent_rl.core.trajectory import Support

if TYPE_CHECKING:
    from torch import Tensor


LOGPROB_ROUNDING = 1e-3
"""How far rounding, at the precision in which engines compute, may lift a log-probability above 0."""


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
    ABORT = "abort"  # the engine gave the request back unfinished; a new one may go on behind the tokens it has


@dataclass(frozen=True)
class Request:
    """One turn to generate.

    Attributes:
        id: Unique among the requests in flight.
        episode: The episode it belongs to, as given to `Engine.open`; its requests share a prefix.
        tokens: The whole conversation so far, exactly.
        max_new_tokens: Most tokens to sample, at least 1.
        stop_tokens: Tokens that end the turn; the sampled one is kept.
        seed: The request's own random stream.
        sampling: How tokens are drawn.
        priority: Where requests queue, those with a smaller number go first.
        excuse: An engine in which requests queue tells it when this one begins to wait and when it has got a place, so
            that the wait is not held against it.
    """

    id: str
    episode: str
    tokens: list[int]
    max_new_tokens: int
    stop_tokens: frozenset[int]
    seed: int
    sampling: Sampling
    priority: int = 0
    excuse: Excuse = field(default_factory=Excuse, compare=False, repr=False)


@dataclass(frozen=True)
class Generation:
    """What was sampled.

    Attributes:
        tokens: The sampled tokens, the stop token included.
        logprobs: Log-probability (nats) of each under the temperature-scaled distribution before top_p and top_k; under
            the unscaled one when the temperature is 0.
        finish: Why it ended.
        weight_versions: The version of the weights that sampled each token.
        began: The version when the engine began; None where it computes the prefix again for new weights.
        supports: What each token was drawn from, where top_p or top_k left tokens out and the engine can say so.
    """

    tokens: list[int]
    logprobs: list[float]
    finish: Finish
    weight_versions: list[int]
    began: int | None = None
    supports: list[Support] = field(default_factory=list)


class Weights(Protocol):
    """A version of the policy's weights, for an engine to fetch in the way that suits it."""

    @property
    def version(self) -> int:
        """The number of the version."""
        ...

    @property
    def current(self) -> bool:
        """Whether these are still the weights: the trainer goes on changing the tensors that it lends."""
        ...

    def tensors(self) -> Iterator[tuple[str, "Tensor"]]:
        """Yield every weight with its Hugging Face name."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model in Hugging Face format."""
        ...


class Host(Protocol):
    """Serves the agents of many episodes at once, as the rollout sees it. All methods belong to one event loop."""

    async def start(self) -> None:
        """Get ready to generate; called once, before anything else."""
        ...

    async def stop(self) -> None:
        """Let go of everything; harmless when it was never started."""
        ...

    def open(self, episode: str, again: bool = False) -> None:
        """Announce an episode. Announcing all of a batch before its first request lets the engine plan its order.

        With `again` it is a fresh attempt at one that was announced before, and goes before those that may not have
        begun: they may begin only when this one has ended.
        """
        ...

    def close(self, episode: str) -> None:
        """Forget an episode and its cache; harmless when it is not known."""
        ...

    async def pause(self) -> None:
        """Sample nothing until `resume`. Requests in flight freeze or end as aborted; new ones wait."""
        ...

    async def resume(self) -> None:
        """Go on after `pause`."""
        ...

    async def update_weights(self, weights: Weights) -> None:
        """Sample with `weights` from the next token on, requests in flight included; paused or not."""
        ...

    def status(self) -> str:
        """Return what the engine is doing in some words, for the line that says what is being waited for."""
        ...


class Engine(Host, Protocol):
    """Generates tokens from tokens."""

    async def generate(self, request: Request) -> Generation:
        """Sample one turn; cancelling the call ends the request.

        Raises:
            ValueError: The request can never be served, such as one longer than the model's context.
            InfrastructureError: It was not served.
        """
        ...
