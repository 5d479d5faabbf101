"""JSON over HTTP, with every way in which it fails turned into one of three errors."""

import asyncio
import json
from typing import Any

import httpx

from agent_rl.core.outcome import InfrastructureError

_CONNECT_SECONDS = 10.0
# Shorter than the 5 s after which uvicorn closes an idle connection: a request never meets one that is just closing.
_KEEPALIVE_SECONDS = 3.0
_BUSY = frozenset({408, 425, 429})


class UnreachableError(InfrastructureError):
    """No answer, half an answer, or one that says that the service is not able to; another service may be."""


class RefusedError(InfrastructureError):
    """The service answered that it will not do this.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, source: str, message: str, status: int) -> None:
        """Keep the HTTP status."""
        super().__init__(source, message)
        self.status = status


class JsonClient:
    """Calls one service. Belongs to the event loop in which it is first used."""

    def __init__(self, source: str, url: str, connections: int) -> None:
        """Call the service at `url`, under the name `source` in errors, over at most `connections` at once.

        Proxies named in the environment are not used: these are services of our own.
        """
        self.source = source
        self.url = url.rstrip("/")
        limits = httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
        )
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        self._http = httpx.AsyncClient(base_url=self.url, limits=limits, timeout=timeout, trust_env=False)

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None, *, seconds: float) -> bytes:
        """Return the body of a 200 answer that came in whole within `seconds`.

        Raises:
            UnreachableError: There was none: connection, time, half an answer, 5xx, too busy.
            RefusedError: Any other status.
        """
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.request(method, path, json=body)
        except TimeoutError as error:
            raise UnreachableError(self.source, f"{self.url}{path} did not answer within {seconds:g} s") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise UnreachableError(self.source, f"{self.url}{path}: {type(error).__name__} {error}".rstrip()) from error
        if response.status_code == 200:
            return response.content
        text = f"{self.url}{path} answered {response.status_code}: {response.text[:300].strip()}"
        if response.status_code >= 500 or response.status_code in _BUSY:
            raise UnreachableError(self.source, text)
        raise RefusedError(self.source, text, response.status_code)

    async def call_json(self, method: str, path: str, body: dict[str, Any] | None = None, *, seconds: float) -> Any:
        """Return the value of a JSON answer; raises as `call` does, and `InfrastructureError` when it is not JSON."""
        content = await self.call(method, path, body, seconds=seconds)
        try:
            return json.loads(content)
        except ValueError as error:
            raise InfrastructureError(
                self.source, f"{self.url}{path} answered what is not JSON: {content[:100]!r}"
            ) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
