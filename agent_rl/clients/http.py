"""JSON over HTTP, with every way in which it fails turned into one of three errors."""

import asyncio
import json
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from agent_rl.core.outcome import InfrastructureError

_CONNECT_SECONDS = 30.0
# Shorter than the 5 s after which uvicorn closes an idle connection: a request never meets one that is just closing.
_KEEPALIVE_SECONDS = 3.0
_BUSY = frozenset({408, 425, 429})
_PASSING = _BUSY | {502, 503, 504}
_WAITS = {"connect": _CONNECT_SECONDS, "read": None, "write": None, "pool": None}
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEPALIVE_SECONDS)


class UnreachableError(InfrastructureError):
    """No answer, half an answer, or one that says that the service is not able to; another service may be.

    Attributes:
        passing: Whether the same request may succeed a little later: the connection failed, or the service was busy,
            starting or stopping. False when it took too long, or failed at it.
        rest: Seconds of rest that the service asked for.
    """

    def __init__(self, source: str, message: str, *, passing: bool = False, rest: float = 0.0) -> None:
        """Keep whether and when to ask again."""
        super().__init__(source, message)
        self.passing = passing
        self.rest = rest


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
    """Calls one service. Belongs to the event loop in which it is first used.

    Each connection has a transport of its own, and a call takes the one used last: httpx's own pool looks at all of its
    connections several times a request, which at 256 of them costs more than the request.
    """

    def __init__(self, source: str, url: str, connections: int) -> None:
        """Call the service at `url`, under the name `source` in errors, over at most `connections` at once.

        Proxies named in the environment are not used: these are services of our own.
        """
        self.source = source
        self.url = url.rstrip("/")
        self._ssl = ssl.create_default_context()
        self._free = asyncio.Semaphore(connections)
        self._idle: list[httpx.AsyncHTTPTransport] = []

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None, *, seconds: float) -> bytes:
        """Return the body of a 200 answer that came in whole within `seconds`.

        Raises:
            UnreachableError: There was none: connection, time, half an answer, 5xx, too busy.
            RefusedError: Any other status.
        """
        try:
            async with asyncio.timeout(seconds), self._free:
                response = await self._exchange(method, path, body)
        except TimeoutError as error:
            raise UnreachableError(self.source, f"{self.url}{path} did not answer within {seconds:g} s") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            text = f"{self.url}{path}: {type(error).__name__} {error}".rstrip()
            raise UnreachableError(self.source, text, passing=True) from error
        status, content = response.status_code, response.content
        if status == 200:
            return content
        text = f"{self.url}{path} answered {status}: {content[:300].decode(errors='replace').strip()}"
        if status >= 500 or status in _BUSY:
            rest = retry_after(response.headers.get("retry-after", ""))
            raise UnreachableError(self.source, text, passing=status in _PASSING, rest=rest)
        raise RefusedError(self.source, text, status)

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
        """Close all connections that are not in use."""
        idle, self._idle = self._idle, []
        for transport in idle:
            await transport.aclose()

    async def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """Return an answer that came in whole; a connection on which that fails is closed."""
        headers = {"content-type": "application/json"} if body is not None else {}
        content = json.dumps(body, separators=(",", ":")).encode() if body is not None else None
        request = httpx.Request(
            method, self.url + path, headers=headers, content=content, extensions={"timeout": _WAITS}
        )
        transport = self._idle.pop() if self._idle else httpx.AsyncHTTPTransport(verify=self._ssl, limits=_ONE)
        try:
            response = await transport.handle_async_request(request)
            await response.aread()
            await response.aclose()
        except BaseException:
            await transport.aclose()
            raise
        self._idle.append(transport)
        return response


def retry_after(header: str) -> float:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date; 0 for none."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0
