"""What stands between a taskset of verifiers and an environment of ours: loading, the trace, the tools."""

import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message
from agent_rl.core.outcome import told
from agent_rl.envs.adapters.rows import found
from agent_rl.tools.schema_tool import schema_tool
from agent_rl.tools.tool import Tool


@dataclass(frozen=True)
class Loaded:
    """A taskset and the tasks that are used of it."""

    taskset: Any
    tasks: tuple[Any, ...]


@functools.cache
def load(name: str, config: str, most: int) -> Loaded:
    """Return the taskset `name` made with `config` (JSON), and its first `most` tasks.

    Raises:
        UserError: It cannot be loaded, or needs what this adapter does not have.
    """
    try:
        from verifiers.v1.configs.taskset import TasksetConfig
        from verifiers.v1.envs.single_agent import SingleAgentEnv
        from verifiers.v1.taskset import Taskset
        from verifiers.v1.utils import loaders
        from verifiers.v1.utils.generic import concrete_type
    except ImportError as error:
        raise UserError(f"env=verifiers needs the package verifiers: {error}") from error
    try:
        cls = found(name, "env.id") if ":" in name else loaders.taskset_class(name)
        settings = concrete_type(cls, TasksetConfig, origin=Taskset) or TasksetConfig
        taskset = cls(settings.model_validate({**json.loads(config), "id": name}))
        tasks = tuple(itertools.islice(taskset, most))
    except UserError:
        raise
    except Exception as error:  # the taskset's own code runs here
        raise UserError(f"env.id={name}: {told(error)}") from error
    if ":" not in name and not issubclass(own := loaders.environment_class(name), SingleAgentEnv):
        raise UserError(f"env.id={name}: {own.__name__} runs its agents itself; only a taskset alone can be adapted")
    _refuse(name, taskset, tasks)
    return Loaded(taskset, tasks)


def _refuse(name: str, taskset: Any, tasks: Sequence[Any]) -> None:
    """Raise `UserError` for what would be left out silently otherwise."""
    from verifiers.v1.session import hook_boundary
    from verifiers.v1.state import State, state_cls
    from verifiers.v1.trace import Trace
    from verifiers.v1.utils.decorators import discover_decorated

    for task in tasks[:1]:
        problem = ""
        if type(task).NEEDS_CONTAINER or task.data.image:
            problem = "its tasks need a container"
        elif discover_decorated(task, "intercept"):
            problem = "its tasks intercept requests"
        elif any(hook_boundary(stop, allow_trace=True) is not Trace for stop in task.hooks("stop")):
            problem = "it stops at a request or a response, not at a trace"
        elif any(state_cls(type(toolset)) is not State for toolset in _toolsets(taskset, task)):
            problem = "its tools share state with the rollout"
        if problem:
            raise UserError(f"env.id={name}: {problem}, which this adapter does not have")


def _toolsets(taskset: Any, task: Any) -> list[Any]:
    return [*type(taskset).toolsets(taskset.config), *type(task).toolsets(task.config)]


def new_trace(task: Any) -> Any:
    """Return the trace of an episode that has not begun."""
    from verifiers.v1.configs.agent import AgentConfig
    from verifiers.v1.runtimes import SubprocessConfig
    from verifiers.v1.state import state_cls
    from verifiers.v1.trace import AgentInfo, Trace, TraceTask

    described = TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    agent = AgentInfo(config=AgentConfig(runtime=SubprocessConfig()))
    return Trace(task=described, state=state_cls(type(task))(), agent=agent)


def record(trace: Any, messages: Sequence[Message], sampled: bool) -> None:
    """Append messages to the trace, in the types of verifiers."""
    from pydantic import TypeAdapter
    from verifiers.v1.graph import MessageNode
    from verifiers.v1.types import Message as Theirs

    for message in messages:
        given: dict[str, Any] = dict(message)
        given.pop("invalid_tool_calls", None)
        calls = [{"id": call["id"], **call["function"]} for call in message.get("tool_calls", [])]
        if calls:
            given["tool_calls"] = calls
        last = len(trace.nodes) - 1
        node = {"message": TypeAdapter(Theirs).validate_python(given), "sampled": sampled}
        trace.nodes.append(MessageNode(parent=last if last >= 0 else None, **node))


async def tools_of(taskset: Any, task: Any) -> list[Tool]:
    """Return the tools of a task as ours: its toolsets are set up and served in this process."""
    tools: list[Tool] = []
    for toolset in type(taskset).toolsets(taskset.config):
        await toolset.setup()
        tools += await _served(toolset)
    for toolset in type(task).toolsets(task.config):
        await toolset.setup()
        await toolset.setup_task(task.data)
        tools += await _served(toolset)
    return tools


async def _served(toolset: Any) -> list[Tool]:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer(toolset.server_name or type(toolset).__name__)
    toolset.register(server)
    prefix = f"{toolset.server_name}_" if toolset.server_name else ""
    return [_tool(server, prefix, listed) for listed in await server.list_tools()]


def _tool(server: Any, prefix: str, listed: Any) -> Tool:
    from mcp.server.mcpserver.exceptions import ToolError

    async def call(arguments: dict[str, Any]) -> str:
        try:
            result = await server.call_tool(listed.name, arguments)
        except ToolError as error:  # what a tool raises is told to the agent, as over MCP
            return f"Error: {error}"
        return "\n".join(part.text for part in result.content if part.type == "text")

    described = {"description": listed.description or "", "parameters": listed.input_schema}
    return schema_tool({"name": prefix + listed.name, **described}, call)
