"""The environment `openenv`: the environment of a running OpenEnv server."""

import functools
import json
from typing import Any

import httpx
from pydantic import Field, PositiveFloat, PositiveInt

from agent_rl.core.errors import UserError
from agent_rl.core.message import system, user
from agent_rl.core.outcome import BrokenEnvironmentError, InfrastructureError, told
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.adapters.stepped import OVER, SteppedEnv, seeded_tasks
from agent_rl.tools import Tool, ToolPolicy
from agent_rl.tools.schema_tool import schema_tool


class OpenEnvSettings(Settings):
    """Settings of the environment `openenv`."""

    url: str
    """Where the server listens, such as http://localhost:8000."""
    instructions: str = "Act until the task is solved."
    """The system message; OpenEnv servers send none."""
    reset: dict[str, Any] = Field(default_factory=dict)
    """What is handed to the server's reset beside the seed."""
    seconds: PositiveFloat = 60.0
    """Longest wait for an answer of the server."""
    train: PositiveInt = 1000
    """Tasks of the split "train": the even seeds from 0."""
    test: PositiveInt = 100
    """Tasks of the split "test": the odd seeds from 1."""


class OpenEnv(SteppedEnv):
    """The environment of a running OpenEnv server (env.url=http://localhost:8000)."""

    Settings = OpenEnvSettings
    settings: OpenEnvSettings

    def __init__(self, **settings: Any) -> None:
        """Ask the server what actions it takes; the session begins at the reset.

        Raises:
            UserError: No server answers, or openenv-core is not installed.
        """
        super().__init__(**settings)
        self._schema = _action_schema(self.settings.url.rstrip("/"))
        self._policy = ToolPolicy(timeout=self.settings.seconds, replay=False)
        self._client: Any = None
        self._tools_now: list[Tool] = []

    def tasks(self, split: str) -> TaskSet:
        """Return a task for each seed of `split`; a server may use the seed, or have one task alone."""
        return seeded_tasks(split, self.settings.train, self.settings.test)

    def tools(self) -> list[Tool]:
        """Return `act`, whose arguments are the fields of an action, or the tools of a server that speaks MCP."""
        return self._tools_now

    def setup(self, task: Task) -> None:
        """Begin a session of the server if there is none, and reset it."""
        super().setup(task)
        if self._client is None:
            self._client = _connected(self.settings.url, self.settings.seconds)
        first = self._asked(lambda: self._client.reset(seed=task.data["seed"], **self.settings.reset))
        self._tools_now = self._mcp_tools() if _speaks_mcp(self._schema) else [self._act()]
        self.messages = [system(self.settings.instructions), user(_shown(first.observation))]
        self.terminated = bool(first.done)

    def close(self) -> None:
        """End the session."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _act(self) -> Tool:
        fields = {name: field for name, field in self._schema.get("properties", {}).items() if name != "metadata"}
        parameters = {key: value for key, value in self._schema.items() if key in ("type", "required", "$defs")}
        description = self._schema.get("description") or "Take an action."
        described = {"name": "act", "description": description, "parameters": parameters | {"properties": fields}}
        return schema_tool(described, self._step, self._policy)

    def _mcp_tools(self) -> list[Tool]:
        listed = self._asked(lambda: self._client.step({"type": "list_tools"})).observation
        return [self._mcp_tool(tool) for tool in listed["tools"]]

    def _mcp_tool(self, tool: dict[str, Any]) -> Tool:
        async def call(arguments: dict[str, Any]) -> str:
            return await self._step({"type": "call_tool", "tool_name": tool["name"], "arguments": arguments})

        described = {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
        return schema_tool(described, call, self._policy)

    async def _step(self, arguments: dict[str, Any]) -> str:
        """Take the action that has these fields; return what is seen then. One that the server refuses is answered."""
        if self.over:
            return OVER
        try:
            result = await in_thread(lambda: self._asked(lambda: self._client.step(arguments)))
        except _RefusedError as error:
            return f"Error: {error}"
        self.gained += float(result.reward or 0.0)
        self.terminated = bool(result.done)
        return _shown(result.observation)

    def _asked(self, ask: Any) -> Any:
        """Ask the server; what goes wrong on the way is the infrastructure's failure, what it answers is its own."""
        try:
            return ask()
        except (OSError, TimeoutError) as error:
            raise InfrastructureError("openenv", told(error)) from error
        except RuntimeError as error:  # the client's only word for an error that the server reports
            if "code: VALIDATION_ERROR" in str(error):
                raise _RefusedError("the server does not accept these arguments") from error
            lost = "code: CAPACITY_REACHED" in str(error)
            raise (InfrastructureError if lost else BrokenEnvironmentError)("openenv", str(error)) from error
        except Exception as error:  # the connection broke, in the words of the client's WebSocket library
            raise InfrastructureError("openenv", told(error)) from error


class _RefusedError(Exception):
    """The server does not accept an action."""


@functools.cache
def _action_schema(url: str) -> dict[str, Any]:
    """Return the JSON schema of the server's actions."""
    try:
        answer = httpx.get(f"{url}/schema", timeout=10).raise_for_status().json()
        schema: dict[str, Any] = answer["action"]
        return schema
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        raise UserError(f"env.url={url}: no OpenEnv server answers there ({told(error)})") from error


def _connected(url: str, seconds: float) -> Any:
    try:
        from openenv.core.generic_client import GenericEnvClient
    except ImportError as error:
        raise UserError(f"env=openenv needs the package openenv-core: {error}") from error
    return GenericEnvClient(base_url=url, message_timeout_s=seconds).sync()


def _speaks_mcp(schema: dict[str, Any]) -> bool:
    return schema.get("properties", {}).get("type", {}).get("const") in ("call_tool", "list_tools")


def _shown(observation: dict[str, Any]) -> str:
    """Return an observation as text: its only field if there is one alone, else a line for each that is not empty."""
    fields = {name: value for name, value in observation.items() if value not in (None, "", [], {})}
    if len(fields) == 1:
        return _plain(next(iter(fields.values())))
    return "\n".join(f"{name}: {_plain(value)}" for name, value in fields.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
