"""McpSession: the tools of a server as `Tool`s, on a connection that is made anew when the server dies."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_rl.core.context import count
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import service_loop
from agent_rl.tools.schema_tool import schema_tool
from agent_rl.tools.tool import Tool

if TYPE_CHECKING:
    from agent_rl.tools.mcp.connection import Connection
    from agent_rl.tools.mcp.server import McpServer

_IN_A_ROW = 3  # connections that answered no call, after which the server gets some rest
_REST = 30.0  # seconds


@dataclass(frozen=True)
class _Remote:
    """A tool of a session. Answers are told apart by `settings`, those in caches by `fingerprint` as well."""

    session: "McpSession"
    name: str
    settings: "McpServer"
    fingerprint: str

    async def call(self, arguments: dict[str, Any]) -> str:
        return await service_loop().call(self.session.answer(self.name, arguments))


class McpSession:
    """A session with a server, usable from every event loop; the connection lives on the process's service loop.

    A connection that broke is made anew, for a command by a new process; not in a session of an episode, whose state
    went with it. When three connections in a row answered not one call, there is one more every 30 s.
    """

    def __init__(self, server: "McpServer", restarts: bool) -> None:
        """Connect to nothing yet."""
        self._server, self._restarts = server, restarts
        self._connection: Connection | None = None
        self._tools: tuple[Connection, list[Tool]] | None = None

    async def tools(self) -> list[Tool]:
        """Return the server's tools; the first call connects.

        Raises:
            InfrastructureError: It cannot be started or reached, says what is not MCP, lacks a tool of `only`, or has
                one whose schema is none.
        """
        return await service_loop().call(self._listed())

    async def close(self) -> None:
        """End the session; its server process, if it has one, has ended then. Harmless twice."""
        await service_loop().call(self._closed())

    @property
    def of_episode(self) -> bool:
        """Whether the session is to be closed with its episode."""
        return not self._restarts

    async def _listed(self) -> list[Tool]:
        connection = self._current()
        listed = await connection.tools()
        if self._tools is None or self._tools[0] is not connection:
            offered = {tool.name: tool for tool in listed}
            missing = [name for name in self._server.only if name not in offered]
            if missing:
                raise InfrastructureError(self._server.source, f"has no tool '{missing[0]}', only {', '.join(offered)}")
            chosen = [offered[name] for name in self._server.only] or listed
            tools = [self._tool(tool.name, tool.description or "", tool.input_schema) for tool in chosen]
            self._tools = (connection, tools)
        return self._tools[1]

    def _tool(self, name: str, description: str, schema: dict[str, Any]) -> Tool:
        described = {"name": name, "description": " ".join(description.split()), "parameters": schema}
        try:
            remote = _Remote(self, name, self._server.public(), self._server.fingerprint)
            return schema_tool(described, remote.call, self._server.policy)
        except ValueError as error:
            raise InfrastructureError(self._server.source, str(error)) from error

    async def answer(self, name: str, arguments: dict[str, Any]) -> str:
        """Return what the tool `name` answers, called on the service loop."""
        return await self._current().call(name, arguments)

    def _current(self) -> "Connection":
        """Return the connection, a new one if the last broke."""
        from agent_rl.tools.mcp.connection import Connection  # the SDK takes its time to import

        last = self._connection
        if last is not None and last.lost_at is None:
            return last
        fruitless = 0
        if last is not None and last.lost_at is not None:
            if not self._restarts:
                raise InfrastructureError(self._server.source, "the episode's session with it is lost")
            fruitless = 0 if last.answered else last.fruitless + 1
            rest = last.lost_at + _REST - asyncio.get_running_loop().time()
            if fruitless >= _IN_A_ROW and rest > 0:
                text = f"failed {fruitless} times in a row, the last time so: {last.trouble}"
                raise InfrastructureError(self._server.source, text)
            count("mcp/restarts")
        self._connection = Connection(self._server, fruitless)
        return self._connection

    async def _closed(self) -> None:
        if self._connection is not None:
            await self._connection.close()
