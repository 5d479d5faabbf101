"""Servers of ours as processes, with scripts in their place: they say why they ended and never outlive their parent."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent_rl.clients.sglang import SglangClient
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.sglang import SglangEngine, SglangSettings
from agent_rl.rollout.engines.sglang.server import ServerProcess

TREE = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("running", flush=True)
time.sleep(600)
"""


def scripted(folder: Path, text: str) -> ServerProcess:
    script = folder / "server.py"
    script.write_text(text)
    return ServerProcess([sys.executable, str(script)], "http://127.0.0.1:1", folder / "log")


def in_session(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            state, _, _, own = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:4]
        except (OSError, ValueError):
            continue
        if own == str(session) and state != "Z":
            found.append(int(folder.name))
    return found


def wait_for(count: int, session: int, seconds: float = 120) -> bool:
    until = time.monotonic() + seconds
    while len(in_session(session)) != count and time.monotonic() < until:
        time.sleep(0.05)
    return len(in_session(session)) == count


def test_a_server_that_cannot_start_says_why_with_the_last_lines_of_its_log(tmp_path):
    process = scripted(tmp_path, "import sys\nprint('out of memory')\nsys.exit(3)\n")

    async def scenario() -> None:
        client = SglangClient(process.url, 1, 1.0, 1.0)
        process.start()
        with pytest.raises(InfrastructureError, match=r"ended while it started.*out of memory.*exit code 3.*log: "):
            await process.wait_ready(client, 20)
        await process.stop()
        await client.close()

    asyncio.run(scenario())


def test_a_server_that_takes_too_long_to_start_is_ended(tmp_path):
    process = scripted(tmp_path, TREE)

    async def scenario() -> int | None:
        client = SglangClient(process.url, 1, 1.0, 1.0)
        process.start()
        pid = process.pid
        with pytest.raises(InfrastructureError, match="not ready after 1 s"):
            await process.wait_ready(client, 1)
        await process.stop()
        await client.close()
        return pid

    session = asyncio.run(scenario())
    assert session is not None and wait_for(0, session)


def test_an_engine_whose_server_cannot_start_leaves_nothing_behind_and_can_be_stopped_again(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no sglang here\nexit 1\n")
    python.chmod(0o755)
    engine = SglangEngine(SglangSettings(python=str(python), servers=2), "tiny", 512, tmp_path)

    async def scenario() -> None:
        await engine.stop()
        with pytest.raises(InfrastructureError, match="no sglang here"):
            await engine.start()
        await engine.stop()

    asyncio.run(scenario())
    assert "0 of 0 servers" in engine.status()


def test_stopping_ends_everything_that_the_server_started(tmp_path):
    process = scripted(tmp_path, TREE)
    process.start()
    session = process.pid
    assert session is not None and wait_for(3, session)
    asyncio.run(process.stop())
    assert in_session(session) == [] and not process.alive


@pytest.mark.parametrize("how", ["the command", "the guard"])
def test_the_death_of_a_part_is_the_end_of_the_rest(tmp_path, how):
    process = scripted(tmp_path, TREE)
    process.start()
    session = process.pid
    assert session is not None and wait_for(3, session)
    inner = [pid for pid in in_session(session) if pid != session]
    command = min(inner)
    subprocess.run(["kill", "-9", str(command if how == "the command" else session)], check=True)
    if how == "the command":
        assert wait_for(0, session)
        assert "exit code -9" in process.last_words()
    else:
        assert wait_for(1, session)  # what the command started; a real server's parts die with it by themselves
    asyncio.run(process.stop())
    assert wait_for(0, session) and not process.alive


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_server_with_all_its_processes_ends_with_the_process_that_started_it(how, tmp_path):
    scripted(tmp_path, TREE)
    parent = (
        "import sys, time\nfrom pathlib import Path\n"
        "from agent_rl.rollout.engines.sglang.server import ServerProcess\n"
        f"script, log = Path({str(tmp_path)!r}) / 'server.py', Path({str(tmp_path)!r}) / 'log'\n"
        "server = ServerProcess([sys.executable, str(script)], '', log)\n"
        "server.start()\nprint(server.pid, flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    session = int(process.stdout.readline())
    assert wait_for(3, session)  # the guard, the command, and what that started
    process.send_signal(how)
    process.wait()
    assert wait_for(0, session)
