"""OpenEnv: its client, through our adapter, against its server in another process."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

import agent_rl
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.core.outcome import BrokenEnvironmentError, InfrastructureError
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection


@contextlib.contextmanager
def server(kind: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real OpenEnv server in a process of its own, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("openenv_server.py")), str(port), kind])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health").is_success:
                    break
            assert process.poll() is None
            time.sleep(0.1)
        yield url, process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server("guess") as (url, _):
        yield url


@pytest.fixture
def env(url: str) -> Iterator[AgentEnv]:
    made = agent_rl.make("openenv", url=url, instructions="Guess.")
    yield made
    made.close()


def act(*numbers: Any, **rest: Any) -> Message:
    return assistant("", [tool_call("act", {"number": number, **rest}, i) for i, number in enumerate(numbers)])


def test_check_finds_nothing_wrong(url: str) -> None:
    findings = list(check_environment(EnvSection(name="openenv", url=url)))
    assert [finding for finding in findings if finding.passed is False] == []


def test_an_episode_is_played_over_the_wire(env: AgentEnv) -> None:
    messages, info = env.reset(options={"task_id": "seed-4"})
    assert [message["content"] for message in messages] == ["Guess.", "A number from 0 to 9."]
    [tool] = info["tools"]
    assert tool["function"]["description"] == "Guess the number, or give up."
    assert set(tool["function"]["parameters"]["properties"]) == {"number", "mood"}
    secret = Random(4).randrange(10)
    answers, reward, terminated, *_ = env.step(act(secret - 1))
    assert answers[0]["content"] == f"hint: higher\nguesses: [{secret - 1}]"
    assert (reward, terminated) == (0.0, False)
    answers, reward, terminated, *_ = env.step(act(secret, secret, mood="unsure"))
    assert (reward, terminated) == (1.0, True)
    assert answers[1]["content"].startswith("Error: the episode is over")


def test_what_the_server_does_not_accept_is_answered(env: AgentEnv) -> None:
    env.reset(seed=0)
    for wrong in (act("seven"), act(1, mood="desperate"), act(1, colour="red")):
        answers, reward, terminated, *_ = env.step(wrong)
        assert answers[0]["content"].startswith("Error:") and (reward, terminated) == (0.0, False)


def test_a_bug_of_the_servers_environment_is_its_failure(env: AgentEnv) -> None:
    env.reset(seed=0)
    with pytest.raises(BrokenEnvironmentError, match="a bug of this environment"):
        env.step(act(-1))


def test_sessions_do_not_disturb_each_other(url: str) -> None:
    envs = [agent_rl.make("openenv", url=url) for _ in range(4)]
    for seed, env in enumerate(envs):
        env.reset(options={"split": "test" if seed % 2 else "train", "task_id": f"seed-{seed}"})
    assert [env.step(act(Random(seed).randrange(10)))[1] for seed, env in enumerate(envs)] == [1.0] * 4
    for env in envs:
        env.close()


def test_settings_reach_the_servers_reset(url: str) -> None:
    env = agent_rl.make("openenv", url=url, reset={"highest": 7})
    assert env.reset(seed=0)[0][1]["content"] == "A number from 0 to 7."
    env.close()


def test_a_server_that_dies_is_a_failure_of_the_infrastructure() -> None:
    with server("guess") as (url, process):
        env = agent_rl.make("openenv", url=url)
        env.reset(seed=0)
        process.kill()
        process.wait()
        with pytest.raises(InfrastructureError):
            env.step(act(1))
        env.close()
        with pytest.raises(InfrastructureError):
            env.reset(seed=0)
        env.close()


def test_no_server_is_the_users_to_mend() -> None:
    with pytest.raises(UserError, match="no OpenEnv server answers"):
        agent_rl.make("openenv", url="http://127.0.0.1:9")


def test_the_tools_of_a_server_that_speaks_mcp_are_tools_here() -> None:
    with server("mcp") as (url, _):
        env = agent_rl.make("openenv", url=url)
        _, info = env.reset(seed=0)
        assert [tool["function"]["name"] for tool in info["tools"]] == ["add"]
        answers, *_ = env.step(assistant("", [tool_call("add", {"a": 2, "b": 3})]))
        assert "5" in answers[0]["content"]
        env.close()
