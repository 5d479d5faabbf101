"""A hosted model that an environment asks: a judge, a simulated user."""

import os
import threading
from collections.abc import Sequence
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt

from agent_rl.clients.openai import ChatClient
from agent_rl.core.deadlines import waiting_for
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, text_of
from agent_rl.core.outcome import EpisodeError, InfrastructureError
from agent_rl.core.settings import Settings
from agent_rl.core.threads import service_loop

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
    """Requests of this process in flight at once."""
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
                    connections=self.concurrency,
                    attempts=self.attempts,
                    missing_key=f"there is no key in the environment variable {self.key_variable}",
                )
            return _clients[name]
