"""Tools of real MCP servers in processes of their own: what the policy sees, and what is no result."""

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_rl import Task, TaskSet
from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import InfrastructureError
from agent_rl.envs.mcp import McpEnv
from agent_rl.envs.reward import reward
from agent_rl.tools import Tool, ToolPolicy, records, tool
from agent_rl.tools.answers import cache
from agent_rl.tools.mcp import McpServer, McpSession

SERVER = Path(__file__).with_name("mcp_server.py")
COMMAND = shlex.join([sys.executable, str(SERVER)])
STDIO = McpServer(command=COMMAND, policy=ToolPolicy(timeout=30))


def quickly_failing(code: str) -> McpServer:
    return McpServer(command=shlex.join([sys.executable, "-c", code]), start_seconds=20)


def tools_of(server: McpServer) -> dict[str, Tool]:
    return {tool.name: tool for tool in asyncio.run(server.session().tools())}


def ask(tools: dict[str, Tool], name: str, **arguments: Any) -> str:
    """Call a tool, in an event loop that ends with the call."""
    return asyncio.run(tools[name].call(tool_call(name, arguments)))["content"]


def until_killed(tools: dict[str, Tool], pid: int, begun: Path) -> InfrastructureError:
    """Kill a server with signal 9 while it answers a call; return the call's failure."""

    async def killing() -> None:
        call = asyncio.create_task(tools["sleep"].call(tool_call("sleep", {"seconds": 60, "begun": str(begun)})))
        while not begun.exists() and not call.done():
            await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        await call

    with pytest.raises(InfrastructureError) as failed:
        asyncio.run(killing())
    return failed.value


@pytest.fixture(scope="module")
def stdio() -> dict[str, Tool]:
    return tools_of(STDIO)


def test_a_tool_has_the_servers_name_description_and_schema(stdio):
    function = stdio["add"].schema()["function"]
    assert function["description"] == "Add two numbers. They may be negative."
    assert function["parameters"]["required"] == ["a"]
    assert function["parameters"]["properties"]["b"] == {"default": 1, "type": "integer"}


def test_a_call_is_answered_by_the_server_from_any_event_loop(stdio):
    assert ask(stdio, "add", a=1, b=2) == "3"
    assert ask(stdio, "add", a=1) == "2"


def test_wrong_arguments_and_what_the_server_calls_an_error_are_told_to_the_policy(stdio):
    assert ask(stdio, "add", a="x") == "Error: argument 'a': 'x' is not of type 'integer'"
    assert ask(stdio, "add") == "Error: missing argument 'a'"
    assert ask(stdio, "add", a=1, c=2) == "Error: unknown argument 'c' (there are: a, b)"
    assert ask(stdio, "fail", why="no").startswith("Error: ")


def test_what_is_not_text_is_named_with_its_type_and_size(stdio):
    assert ask(stdio, "picture") == "look:\n[image: image/png, 5 bytes]"


def test_servers_declared_alike_share_a_process(stdio):
    alike = tools_of(McpServer(command=COMMAND))
    assert ask(alike, "process") == ask(stdio, "process")


def test_an_environment_s_tools_have_its_own_policy_whoever_was_first_with_the_server(stdio):
    class Hasty(McpEnv):
        servers = (STDIO.model_copy(update={"policy": ToolPolicy(timeout=0.2)}),)

    env = Hasty()
    env.reset(options={"task": Task("t", (), "")})
    assert {tool.policy.timeout for tool in env.tools()} == {0.2}
    assert {tool.policy.timeout for tool in tools_of(STDIO).values()} == {30}


def test_a_call_that_takes_too_long_fails_alone(stdio):
    hasty = {"sleep": replace(stdio["sleep"], policy=ToolPolicy(timeout=0.2))}
    with pytest.raises(InfrastructureError, match=r"sleep: no answer within 0\.2 s"):
        ask(hasty, "sleep", seconds=60)
    assert ask(stdio, "add", a=1) == "2"


def test_a_server_killed_in_mid_call_fails_that_call_and_is_started_anew(stdio, tmp_path):
    before = int(ask(stdio, "process"))
    assert "Connection closed" in until_killed(stdio, before, tmp_path / "begun").message
    counters: dict[str, float] = {}

    async def again() -> str:
        enter(EpisodeContext(counters=counters))
        return (await stdio["process"].call(tool_call("process", {})))["content"]

    assert int(asyncio.run(again())) != before
    assert counters["mcp/restarts"] == 1


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (McpServer(command="there-is-no-such-program"), "there-is-no-such-program: cannot be used: FileNotFoundError"),
        (quickly_failing("import nothing_of_that_name"), "No module named 'nothing_of_that_name'"),
        (quickly_failing("print('hello')"), "Connection closed"),
        (McpServer(command="sleep 60", start_seconds=0.3), "hands and list its tools within 0.3 s"),
        (McpServer(url="http://127.0.0.1:9/mcp"), "ConnectError"),
    ],
)
def test_a_server_that_cannot_be_spoken_to_is_a_failure_of_the_infrastructure(server, why):
    with pytest.raises(InfrastructureError) as failed:
        tools_of(server)
    assert why in str(failed.value)


def test_a_server_that_never_answers_a_call_is_not_started_for_ever():
    server = quickly_failing("raise SystemExit('broken')")
    for _ in range(3):
        with pytest.raises(InfrastructureError, match="cannot be used"):
            tools_of(server)
    with pytest.raises(InfrastructureError, match="failed 3 times in a row, the last time so: cannot be used"):
        tools_of(server)


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listening(port: int) -> subprocess.Popen[bytes]:
    """Start an HTTP server and wait until it listens."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, str(SERVER), str(port)], **quiet)
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process
        except OSError:
            assert process.poll() is None
            time.sleep(0.05)
    raise AssertionError("the server does not listen")


@pytest.fixture
def http(port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = listening(port)
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_over_http_a_server_killed_in_mid_call_is_found_again_when_it_is_back(http, port, tmp_path):
    address = f"http://127.0.0.1:{port}/mcp"
    tools = tools_of(McpServer(url=address, policy=ToolPolicy(timeout=30)))
    assert ask(tools, "add", a=1, b=2) == "3"
    assert ask(tools, "note", text="x") + ask(tools, "note", text="y") == "xx y"
    assert list(tools_of(McpServer(url=address, only=("note", "add")))) == ["note", "add"]
    with pytest.raises(InfrastructureError, match="has no tool 'fly', only add, fail"):
        tools_of(McpServer(url=address, only=("fly",)))
    assert until_killed(tools, http.pid, tmp_path / "begun").source == f"mcp {address}"
    http.wait()
    with pytest.raises(InfrastructureError, match="ConnectError"):
        ask(tools, "add", a=1)
    back = listening(port)
    try:
        assert ask(tools, "process") == str(back.pid)
    finally:
        back.kill()
        back.wait()


class Notes(McpEnv):
    servers = (McpServer(command=COMMAND, only=("note", "process"), lives="episode"),)

    @tool
    def shout(self, text: str) -> str:
        """Shout."""
        return text.upper()

    @reward
    def answered(self, answer: str) -> float:
        return float(bool(answer))

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([Task("one", ())], split)


@pytest.mark.slow
def test_an_environment_has_the_tools_of_its_servers_and_a_process_for_each_episode(stdio):
    env = Notes()
    _, info = env.reset(seed=0)
    assert [schema["function"]["name"] for schema in info["tools"]] == ["shout", "note", "process"]
    said = env.step(assistant("", [tool_call("note", {"text": "x"}), tool_call("process", {}, 1)]))[0]
    assert said[0]["content"] == "x"
    process = said[1]["content"]
    assert process != ask(stdio, "process")
    os.kill(int(process), 0)
    assert env.step(assistant("done"))[1:3] == (1.0, True)
    env.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


@pytest.mark.parametrize("wrong", [{}, {"command": "x", "url": "http://x"}, {"url": "ftp://x"}, {"command": "'x"}])
def test_a_declaration_that_names_no_server_is_refused(wrong):
    with pytest.raises(ValueError, match=r"MCP server|quotation"):
        McpServer(**wrong)


def test_errors_name_a_server_without_what_may_be_secret():
    server = McpServer(command="npx -y /opt/@scope/server --key=secret other")
    assert server.source == "mcp npx server"
    assert McpServer(url="https://me:secret@host/mcp?key=secret").source == "mcp host/mcp"


def test_a_schema_that_is_none_is_the_servers_fault():
    with pytest.raises(InfrastructureError, match="'fly' have no valid schema"):
        STDIO.session()._tool("fly", "", {"type": "wing"})


class Fast(McpSession):
    """A session without a server."""

    async def answer(self, name: str, arguments: dict[str, Any]) -> str:
        return str(id(self))


def test_cached_answers_are_told_apart_by_variables_and_headers_which_are_not_written_down(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENT_RL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(records.RECORD, str(tmp_path / "records"))
    cache.cache_clear()
    policy = ToolPolicy(cache="disk")
    given: list[dict[str, Any]] = [{"command": "x"}, {"url": "http://x"}]
    given += [{"command": "x", "variables": {"KEY": key}} for key in ("secret-1", "secret-2")]
    given += [{"url": "http://x", "headers": {"Authorization": key}} for key in ("secret-1", "secret-2")]

    def answers() -> list[str]:
        sessions = [Fast(McpServer(**fields, policy=policy), True) for fields in given]
        return [ask({"who": session._tool("who", "", {})}, "who") for session in sessions]

    first = answers()
    assert len(set(first)) == len(given)
    cache.cache_clear()  # another process
    assert answers() == first
    written = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) == len(given) + 1 and not any("secret" in text for text in written)
    cache.cache_clear()
