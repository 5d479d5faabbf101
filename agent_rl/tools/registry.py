"""Tools by name: registered here, or brought by an installed package."""

from importlib.metadata import entry_points

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import told
from agent_rl.core.registry import Registry
from agent_rl.tools.tool import Tool

TOOLS: Registry[Tool] = Registry("tool")
GROUP = "agent_rl.tools"
"""The group of entry points under which installed packages bring tools."""


def register_tool(name: str, tool: Tool) -> None:
    """Make a tool known by `name`, for environments that are told in their settings which tools to offer.

    Raises:
        UserError: The name belongs to another tool.
    """
    TOOLS.register(name, tool)


def named_tool(name: str) -> Tool:
    """Return the tool that was registered as `name`, or that an installed package brings under it.

    Raises:
        UserError: There is none, or its package cannot be imported.
    """
    for found in entry_points(group=GROUP, name=name) if name not in TOOLS else ():
        try:
            loaded = found.load()
        except Exception as error:
            raise UserError(f"the tool '{name}' cannot be loaded from {found.value}: {told(error)}") from error
        if not isinstance(loaded, Tool):
            raise UserError(f"{found.value}, which is to be the tool '{name}', is no tool")
        register_tool(name, loaded)
    return TOOLS[name]
