"""A hosted model that an environment asks: a judge, a simulated user."""

import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt

from agent_rl.clients.openai import ChatClient
from agent_rl.core.deadlines import waiting_for
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, text_of
from agent_rl.core.outcome import EpisodeError, InfrastructureError
from agent_rl.core.settings import Settings
from agent_rl.core.threads import service_loop
from agent_rl.tools import ToolPolicy
from agent_rl.tools.limiter import wait_for_place

_CONNECTIONS = 10_000  # no bound: the limiter has it, for all processes
_clients: dict[str, ChatClient] = {}
_making = threading.Lock()


class Endpoint(Settings):
    """A model behind an OpenAI-compatible endpoint. All environments of a process that name it alike share it."""

    model: str = Field(min_length=1)
    """The model's name at the endpoint."""
    url: str = "https://api.openai.com/v1"
    """The endpoint: what stands before `/chat/completions`."""
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; without one, none is sent."""
    concurrency: PositiveInt = 8
    """Requests in flight at once, in all processes of the run."""
    per_second: PositiveInt | None = None
    """Requests that may begin within a second, in all processes of the run."""
    per_minute: PositiveInt | None = None
    """Requests that may begin within a minute, in all processes of the run."""
    seconds: PositiveFloat = 60.0
    """Longest wait for one answer; a step of the environment may take `limits.tool_seconds` in all."""
    attempts: PositiveInt = 4
    """How often a request is sent while the endpoint is busy or out of reach, with growing waits between."""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"temperature": 0.0})
    """Further fields of every request, such as `temperature` or `max_tokens`."""

    async def ask(self, source: str, messages: Sequence[Message]) -> str:
        """Return what the model says to `messages`, called from any event loop.

        Raises:
            InfrastructureError: It says nothing, for whatever reason; `source` is named as the culprit.
        """
        try:
            with waiting_for(source):
                return await service_loop().call(self._said(messages))
        except (UserError, EpisodeError) as error:
            raise InfrastructureError(
                source, error.message if isinstance(error, EpisodeError) else str(error)
            ) from error

    async def _said(self, messages: Sequence[Message]) -> str:
        completion = await self._client().complete(messages, [], self.parameters, seconds=self.seconds)
        return text_of(completion.message)

    def _client(self) -> ChatClient:
        fields = Endpoint.model_fields
        name = self.model_dump_json(include=set(fields) - {"seconds", "parameters"})
        with _making:
            if name not in _clients:
                _clients[name] = ChatClient(
                    self.url,
                    self.model,
                    os.environ.get(self.key_variable, "").strip() or None,
                    connections=_CONNECTIONS,
                    attempts=self.attempts,
                    missing_key=f"there is no key in the environment variable {self.key_variable}",
                    admitted=partial(self._admitted, name),
                )
            return _clients[name]

    @asynccontextmanager
    async def _admitted(self, name: str) -> AsyncIterator[None]:
        """Let one request begin and go on as the limits allow."""
        limits = ToolPolicy(concurrency=self.concurrency, per_second=self.per_second, per_minute=self.per_minute)
        place = await wait_for_place(name, limits, self.model, "seconds/endpoint/wait")
        try:
            yield
        finally:
            place.leave()
