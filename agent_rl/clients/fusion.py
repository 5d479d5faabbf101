"""Sandbox Fusion's API: `POST /run_code` with a program, what became of it comes back."""

import asyncio
import logging
import random
from typing import Any

from pydantic import ValidationError

from agent_rl.clients.fusion_messages import RunAnswer
from agent_rl.clients.http import JsonClient, RefusedError, UnreachableError
from agent_rl.core.context import current
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError

SOURCE = "sandbox"
_LONGEST_BACKOFF = 30.0
_REQUESTS_OWN_FAULT = frozenset({400, 422})
logger = logging.getLogger(__name__)


class FusionClient:
    """Asks one server. Belongs to the event loop in which it is first used."""

    def __init__(self, url: str, connections: int, attempts: int, backoff_seconds: float) -> None:
        """Ask the server at `url`.

        Args:
            url: What stands before `/run_code`.
            connections: Requests in flight at once; further ones wait.
            attempts: How often a request is sent while the server is busy or out of reach.
            backoff_seconds: Wait before the second attempt; it doubles with each, and is drawn from its upper half.
        """
        self._http = JsonClient(SOURCE, url, connections)
        self._attempts, self._backoff = attempts, backoff_seconds
        self._places = asyncio.Semaphore(connections)

    async def run_code(self, request: dict[str, Any], seconds: float) -> RunAnswer:
        """Run a program, and return what the server says of it.

        Args:
            request: The fields of a `RunRequest`, as JSON has them.
            seconds: Longest wait for one answer; waits for a connection and between attempts do not count.

        Raises:
            UserError: The server refuses what the request asks for, such as a language that it does not know.
            InfrastructureError: There was no answer, or none that is one.
        """
        try:
            with current().excuse.queueing():
                await self._places.acquire()
            try:
                said = await self._sent(request, seconds)
            finally:
                self._places.release()
        except RefusedError as error:
            if error.status in _REQUESTS_OWN_FAULT:
                raise UserError(f"the sandbox refuses the request: {error.message}") from error
            raise
        try:
            return RunAnswer.model_validate(said)
        except ValidationError as error:
            raise InfrastructureError(SOURCE, f"{self._http.url} answered what is no result: {error}") from error

    async def close(self) -> None:
        """Close all connections that are not in use."""
        await self._http.close()

    async def _sent(self, request: dict[str, Any], seconds: float) -> Any:
        """Return the answer, in as many attempts as it may take."""
        for attempt in range(1, self._attempts + 1):
            try:
                return await self._http.call_json("POST", "/run_code", request, seconds=seconds)
            except UnreachableError as error:
                if not error.passing or attempt == self._attempts:
                    raise InfrastructureError(SOURCE, f"attempt {attempt}: {error.message}") from error
                logger.debug("attempt %d: %s", attempt, error.message)
                longest = min(self._backoff * 2 ** (attempt - 1), _LONGEST_BACKOFF)
                await asyncio.sleep(random.uniform(longest / 2, longest) + min(error.rest, _LONGEST_BACKOFF))
        raise AssertionError("unreachable: the last attempt raises")
