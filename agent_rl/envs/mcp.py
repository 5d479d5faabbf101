"""McpEnv: a `ToolEnv` that has the tools of MCP servers beside its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.threads import service_loop
from agent_rl.envs.base import ResetResult
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.mcp import McpServer, McpSession
from agent_rl.tools.tool import Tool


class McpEnv(ToolEnv):
    """An environment that names its servers: `servers = (McpServer(command="python server.py"),)`."""

    servers: Sequence[McpServer] = ()
    """Where the tools come from that are not declared here. Their sessions last as long as each server's `lives` says;
    what is left of them ends with the program."""

    def __init__(self, **settings: Any) -> None:
        """Connect to nothing yet."""
        super().__init__(**settings)
        self._sessions: list[McpSession] = []
        self._brought: list[Tool] = []

    def tools(self) -> list[Tool]:
        """Return the tools of the class, then those of the servers."""
        return [*super().tools(), *self._brought]

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode, in new sessions with those servers that have one for each."""
        await self._end_sessions()
        self._sessions = [server.session() for server in self.servers]
        self._brought = []
        for server, session in zip(self.servers, self._sessions, strict=True):
            self._brought += [replace(tool, policy=server.policy) for tool in await session.tools()]
        names = [tool.name for tool in self.tools()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"{type(self).__name__} has two tools '{twice}'; leave one out by a server's `only`")
        return await super().areset(seed=seed, options=options)

    def close(self) -> None:
        """End the sessions of the episode."""
        if any(session.of_episode for session in self._sessions):
            service_loop().run(self._end_sessions)
        super().close()

    async def _end_sessions(self) -> None:
        ended, self._sessions = self._sessions, []
        for session in ended:
            if session.of_episode:
                await session.close()
