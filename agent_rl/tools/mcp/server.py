"""McpServer: which server, declared in one line."""

import hashlib
import importlib.util
import shlex
from pathlib import Path
from typing import Literal

from pydantic import Field, InstanceOf, PositiveFloat, model_validator

from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.tools import ToolPolicy
from agent_rl.tools.mcp.session import McpSession


class McpServer(Settings):
    """An MCP server: one that is started by a command and spoken to over its stdin and stdout, or one at an address.

    `McpServer(command="python server.py")` or `McpServer(url="http://127.0.0.1:8000/mcp")`.
    """

    command: str = ""
    """The command that starts it, quoted as in a shell. No shell runs it."""
    url: str = ""
    """The address of one that runs already and speaks streamable HTTP."""
    lives: Literal["run", "episode"] = "run"
    """How long a session lasts: one for all episodes of this process, or a new one (a new process, where a command
    starts the server) for each episode."""
    only: tuple[str, ...] = ()
    """The tools to offer, by name; by default all that the server has, in its order."""
    folder: Path | None = None
    """The folder in which the command runs; by default this process's."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Environment variables for the command, beside `HOME`, `LOGNAME`, `PATH`, `SHELL`, `TERM` and `USER`, which are
    all that it is given of this process's own."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of every request to `url`, such as `Authorization`."""
    start_seconds: PositiveFloat = 30.0
    """Longest wait for the server to start, shake hands and list its tools."""
    policy: InstanceOf[ToolPolicy] = Field(default_factory=ToolPolicy, exclude=True)
    """How its tools may be used."""

    @model_validator(mode="after")
    def _usable(self) -> "McpServer":
        """Refuse what names no server, or two."""
        if bool(self.command.strip()) == bool(self.url):
            raise ValueError("an MCP server has a command or a url, and not both")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("the url of an MCP server begins with http:// or https://")
        shlex.split(self.command)  # raises ValueError, such as for a quotation that does not end
        if importlib.util.find_spec("mcp") is None:
            raise UserError("MCP servers need the MCP SDK: pip install 'agent-rl[mcp]'")
        return self

    @property
    def source(self) -> str:
        """What errors call it, without anything that may be secret: the program and its first plain argument."""
        if self.url:
            return f"mcp {self.url.partition('?')[0].rpartition('@')[2]}"
        words = shlex.split(self.command)
        return " ".join(["mcp", *(Path(word).name for word in [words[0], *_plain(words[1:])[:1]])])

    def public(self) -> "McpServer":
        """Return the declaration without variables and headers, which may be secret, for what is written down."""
        return self.model_copy(update={"variables": {}, "headers": {}})

    @property
    def fingerprint(self) -> str:
        """A hash of the whole declaration but the policy, by which cached answers are told apart."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def session(self) -> McpSession:
        """Return a session: a new one for each episode, or the one that all episodes of this process share.

        Nothing is started before its tools are asked for. Servers that differ in their policy alone share one too,
        whose tools have the policy of the first.
        """
        if self.lives == "episode":
            return McpSession(self, restarts=False)
        return _shared.setdefault(self.model_dump_json(), McpSession(self, restarts=True))


_shared: dict[str, McpSession] = {}


def _plain(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]
