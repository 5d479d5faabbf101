"""Tools that agents call: declaration, argument validation, and how model families write calls."""

import agent_rl.tools.python  # noqa: F401  # registers it
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.registry import TOOLS, register_tool
from agent_rl.tools.tool import Tool, tool
from agent_rl.tools.toolset import ToolSet

__all__ = ["TOOLS", "Tool", "ToolPolicy", "ToolSet", "register_tool", "tool"]
