"""The limiter's client: places for the calls of this process."""

import asyncio
import atexit
import contextvars
import functools
import itertools
import json
import os
import threading
from contextlib import ExitStack

from agent_rl.core.outcome import InfrastructureError
from agent_rl.tools.limiter.server import limiter_service
from agent_rl.tools.policy import ToolPolicy

LIMITER = "AGENT_RL_LIMITER"
"""The environment variable that holds the address of a run's limiter; without it the limits hold in this process."""
_connections: dict[asyncio.AbstractEventLoop, "Connection"] = {}
_starting = threading.Lock()


class Place:
    """The right to make one call, until `leave`."""

    def __init__(self, connection: "Connection", number: int, loop: asyncio.AbstractEventLoop) -> None:
        """Hold call `number` of a connection."""
        self._connection, self._number, self._loop = connection, number, loop

    def leave(self) -> None:
        """Give it back, from any thread; harmless twice, and when the loop or the limiter has gone."""
        try:
            self._loop.call_soon_threadsafe(self._connection.leave, self._number)
        except RuntimeError:  # the loop is closed, and its connections with it
            return


async def enter(key: str, policy: ToolPolicy) -> Place:
    """Wait until a call of the tool `key` may begin.

    Raises:
        InfrastructureError: The limiter cannot be reached, or has gone.
    """
    loop = asyncio.get_running_loop()
    address = os.environ.get(LIMITER) or _own()
    connection = _connections.get(loop)
    if connection is None or connection.closed or connection.address != address:  # a loop may outlive a run
        connection = _connections[loop] = Connection(address)
    return await connection.enter(key, policy)


class Connection:
    """One connection to the limiter, for one event loop."""

    def __init__(self, address: str) -> None:
        """Begin to connect."""
        self.address = address
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._lost = ""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready = ready
        context = contextvars.Context()  # it outlives the episode that happened to come first
        self._reading = asyncio.get_running_loop().create_task(self._read(), context=context)

    @property
    def closed(self) -> bool:
        """Whether it has ended, so that a new one is needed."""
        return self._reading.done()

    async def enter(self, key: str, policy: ToolPolicy) -> Place:
        """Wait for a place."""
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        await asyncio.shield(self._ready)
        entered = self._waiting[number] = loop.create_future()
        asked = {"enter": number, "key": key, "concurrency": policy.concurrency, "rates": policy.rates}
        try:
            self._send(asked)
            await entered
        except BaseException:
            self.leave(number)
            raise
        finally:
            self._waiting.pop(number, None)
        return Place(self, number, loop)

    def leave(self, number: int) -> None:
        """Give a place back, or wait for it no more."""
        if not self._lost:
            self._send({"leave": number})

    def _send(self, line: dict[str, object]) -> None:
        if self._lost or self._writer is None:
            raise InfrastructureError("limiter", self._lost or "it is not connected")
        self._writer.write(json.dumps(line).encode() + b"\n")

    async def _read(self) -> None:
        """Connect, then take the limiter's answers until the connection ends."""
        try:
            reader, self._writer = await _connect(self.address)
            self._ready.set_result(None)
            while line := await reader.readline():
                entered = self._waiting.get(json.loads(line)["entered"])
                if entered is not None and not entered.done():
                    entered.set_result(None)
            self._lose("it has gone")
        except (OSError, ValueError) as error:
            self._lose(str(error))
        finally:
            self._lose("the event loop has ended")
            if _connections.get(loop := asyncio.get_running_loop()) is self:
                del _connections[loop]  # it holds the loop, which would not be let go by itself
            if self._writer is not None:
                self._writer.close()

    def _lose(self, why: str) -> None:
        """Let everything fail that waits for the limiter."""
        self._lost = self._lost or why
        for waiting in [self._ready, *self._waiting.values()]:
            if not waiting.done():
                waiting.set_exception(InfrastructureError("limiter", self._lost))
                waiting.exception()  # nobody may be there to take note of it


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    kind, _, place = address.partition(":")
    if kind == "unix":
        return await asyncio.open_unix_connection(place)
    host, port, token = place.rsplit(":", 2)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(json.dumps({"token": token}).encode() + b"\n")
    return reader, writer


def _own() -> str:
    """Return the address of this process's own limiter, which is begun when it is first needed."""
    with _starting:
        return _begin()


@functools.cache
def _begin() -> str:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(limiter_service())
