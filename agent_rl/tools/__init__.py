"""Tools that agents call: declaration, argument validation, and how model families write calls."""

from agent_rl.tools.tool import Tool, ToolPolicy, tool

__all__ = ["Tool", "ToolPolicy", "tool"]
