"""One connection to an MCP server, by the official SDK."""

import asyncio
import contextvars
import logging
import os
import shlex
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, Tool

from agent_rl.clients.http import is_local
from agent_rl.core.outcome import InfrastructureError, told
from agent_rl.tools.mcp.content import text_of

if TYPE_CHECKING:
    from agent_rl.tools.mcp.server import McpServer

logger = logging.getLogger(__name__)
_LOST = frozenset({CONNECTION_CLOSED, INVALID_REQUEST})  # the latter is how the SDK tells an unknown HTTP session
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 3600.0  # for one answer over HTTP; the tool's own deadline is shorter
_PAGES = 100  # of a list of tools, so that a server that pages for ever does not hold us up


class Connection:
    """Lives in a task of its own on the loop that makes it: the SDK wants to be closed by the task that opened it.

    Attributes:
        fruitless: How many connections before it, in a row, answered no call.
        answered: Whether this one has answered a call.
        lost_at: The loop's time at which it broke or was closed; None while it stands.
        trouble: Why it broke.
    """

    def __init__(self, server: "McpServer", fruitless: int = 0) -> None:
        """Begin to connect."""
        self.fruitless, self.answered, self.trouble = fruitless, False, ""
        self.lost_at: float | None = None
        self._server = server
        self._opened: asyncio.Future[tuple[Client, list[Tool]]] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._stderr: deque[str] = deque(maxlen=1)
        self._task = asyncio.create_task(self._live(), context=contextvars.Context())  # it outlives the episode

    async def tools(self) -> list[Tool]:
        """Return the tools that the server listed when the connection was made."""
        return (await asyncio.shield(self._opened))[1]

    async def call(self, name: str, arguments: dict[str, Any]) -> str:
        """Return what a tool answers, as text. What the tool calls an error begins with `Error:`.

        Raises:
            InfrastructureError: There was no answer, or none that is an answer.
        """
        client, _ = await asyncio.shield(self._opened)
        try:
            result = await client.call_tool(name, arguments)
        except MCPError as error:
            if error.code == INVALID_PARAMS:
                return f"Error: {error.message}"
            raise self._failed(f"{name}: {error.message}", lost=error.code in _LOST) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise self._failed(f"{name}: connection closed", lost=True) from error
        except Exception as error:
            raise self._failed(f"{name}: {told(_cause(error))}", lost=False) from error
        self.answered = True
        text = text_of(result)
        return f"Error: {text}" if result.is_error and not text.startswith("Error:") else text

    async def close(self) -> None:
        """Close the connection and wait until that is done; a server process has ended then."""
        self._lose("it was closed")
        await asyncio.wait([self._task])

    def _lose(self, trouble: str) -> None:
        if self.lost_at is None:
            self.lost_at, self.trouble = asyncio.get_running_loop().time(), trouble
        self._closing.set()

    def _failed(self, trouble: str, lost: bool) -> InfrastructureError:
        if lost:
            self._lose(trouble)
        return InfrastructureError(self._server.source, trouble + self._last_words())

    def _last_words(self) -> str:
        return f" (it said last: {self._stderr[-1]})" if self._stderr else ""

    async def _live(self) -> None:
        try:
            async with asyncio.timeout(self._server.start_seconds) as deadline, self._client() as client:
                tools = await _listed(client)
                deadline.reschedule(None)
                self._opened.set_result((client, tools))
                await self._closing.wait()
        except BaseException as error:
            if self._opened.done():  # it broke while it was closed, which is what was wanted
                logger.debug("%s: %s", self._server.source, told(_cause(error)))
            else:
                trouble = f"cannot be used: {self._why(error)}"
                self._opened.set_exception(self._failed(trouble, lost=True))
                self._opened.exception()  # nobody may be waiting for it
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._lose("its connection ended")

    def _why(self, error: BaseException) -> str:
        if isinstance(error, TimeoutError):
            return f"it did not start, shake hands and list its tools within {self._server.start_seconds:g} s"
        return told(_cause(error))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        async with AsyncExitStack() as stack:
            if self._server.url:
                http = httpx2.AsyncClient(
                    headers=self._server.headers,
                    timeout=httpx2.Timeout(_CONNECT_SECONDS, read=_READ_SECONDS),
                    trust_env=not is_local(self._server.url),  # a proxy of the environment is for what lies outside
                )
                await stack.enter_async_context(http)
                transport = streamable_http_client(self._server.url, http_client=http)
            else:
                program, *words = shlex.split(self._server.command)
                command = StdioServerParameters(
                    command=program, args=words, env=self._server.variables, cwd=self._server.folder
                )
                transport = stdio_client(command, errlog=await stack.enter_async_context(_last_line(self._stderr)))
            yield await stack.enter_async_context(Client(transport, cache=None))


class _Lines(asyncio.Protocol):
    """Keeps the last line of what is written, so that a server's log neither fills the console nor the disk."""

    def __init__(self, kept: deque[str]) -> None:
        self._kept = kept

    def data_received(self, data: bytes) -> None:
        lines = data[-1000:].decode(errors="replace").strip().splitlines()
        self._kept.extend(line.strip() for line in lines[-1:])


@asynccontextmanager
async def _last_line(kept: deque[str]) -> AsyncIterator[TextIO]:
    """Give a file for a process to write to, whose last line is in `kept`."""
    read, write = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Lines(kept), os.fdopen(read, "rb"))
    try:
        with os.fdopen(write, "w") as file:
            yield file
    finally:
        transport.close()


async def _listed(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools, cursor = tools + page.tools, page.next_cursor
        if cursor is None:
            break
    return tools


def _cause(error: BaseException) -> BaseException:
    """Return the first of several errors that task groups bundled."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
