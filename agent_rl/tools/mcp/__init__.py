"""The tools of MCP servers (Model Context Protocol), over stdio or streamable HTTP; needs `agent-rl[mcp]`."""

from agent_rl.tools.mcp.server import McpServer
from agent_rl.tools.mcp.session import McpSession

__all__ = ["McpServer", "McpSession"]
