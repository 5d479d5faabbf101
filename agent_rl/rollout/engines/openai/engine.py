"""A model behind an OpenAI-compatible endpoint. It speaks by messages, so nothing can be learned from it."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from agent_rl.clients.openai import ChatClient
from agent_rl.clients.openai_answers import Completion
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message
from agent_rl.rollout.engines.base import Sampling, Weights
from agent_rl.rollout.engines.openai.settings import OpenAISettings

_SEEDS = 2**31  # what endpoints take: 32 bits with a sign


class OpenAIEngine:
    """Hosts episodes whose agent is a hosted model."""

    def __init__(self, settings: OpenAISettings) -> None:
        """Read the key; connect to nothing yet.

        Raises:
            UserError: The environment variable holds what cannot be a key.
        """
        self._settings = settings
        self._key = os.environ.get(settings.key_variable, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UserError(f"{settings.key_variable} holds characters that no key has")
        self._client: ChatClient | None = None
        self._running = asyncio.Event()

    async def start(self) -> None:
        """Make the client, on the loop that it belongs to."""
        settings = self._settings
        self._client = ChatClient(
            settings.url,
            settings.model,
            self._key,
            connections=settings.concurrency,
            attempts=settings.attempts,
            missing_key=f"there is no key in the environment variable {settings.key_variable}",
        )

    async def stop(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    def open(self, episode: str, again: bool = False) -> None:
        """Do nothing: the endpoint knows no episodes."""

    def close(self, episode: str) -> None:
        """Do nothing: the endpoint knows no episodes."""

    async def complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]],
        *,
        most: int,
        sampling: Sampling,
        seed: int,
        seconds: float,
    ) -> Completion:
        """Return the model's next message; cancelling the call ends the request.

        Args:
            messages: The conversation.
            tools: What the model may call, in the OpenAI format.
            most: Most tokens to sample.
            sampling: How they are drawn.
            seed: The request's random stream, where the endpoint knows such a thing.
            seconds: Longest wait for an answer.

        Raises:
            UserError: Only the user can mend it.
            ContextLengthError: The conversation is longer than the model can read.
            InfrastructureError: It was not answered, or with something that is no completion.
        """
        assert self._client is not None, "the engine has not been started"
        await self._running.wait()
        parameters = {
            self._settings.length_parameter: most,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.top_p < 1 else None,
            "top_k": sampling.top_k or None,
            "seed": seed % _SEEDS,
        }
        return await self._client.complete(
            messages,
            tools,
            parameters | self._settings.parameters,
            seconds=seconds,
            reasoning=self._settings.return_reasoning,
        )

    async def pause(self) -> None:
        """Send nothing until `resume`; what is in flight is answered, for a hosted model cannot be paused."""
        self._running.clear()

    async def resume(self) -> None:
        """Go on after `pause`."""
        self._running.set()

    async def update_weights(self, weights: Weights) -> None:
        """Refuse: the weights are not ours."""
        raise UserError("engine=openai cannot be given weights: it is for evaluation")

    def status(self) -> str:
        """Return how many requests are in flight, and how many wait to be sent again."""
        if self._client is None:
            return "not started"
        return f"{self._client.in_flight} requests in flight, {self._client.backing_off} wait to be sent again"
