"""Servers of ours: one is killed in the middle of everything, and none outlives the engine or its process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines import Finish, Generation
from agent_rl.rollout.engines.sglang import SglangEngine, SglangSettings
from tests.sglang_cpu.conftest import ARGUMENTS, VOCABULARY, LoopThread, Weights, request

PROMPT = [5, 6, 7, 8] * 6


def server_pid(url: str) -> int:
    """Return the process that was started with the url's port, not its guard."""
    port = url.rsplit(":", 1)[1]
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            words = command(int(folder.name))
            if words[1:3] == ["-m", "sglang.launch_server"] and port in words:
                return int(folder.name)
    raise AssertionError(f"no server at {url}")


def command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


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


def gone(session: int, seconds: float = 15) -> bool:
    until = time.monotonic() + seconds
    while in_session(session) and time.monotonic() < until:
        time.sleep(0.1)
    return not in_session(session)


def test_a_server_killed_in_the_middle_loses_no_request_and_comes_back_with_the_current_weights(
    loop: LoopThread, started: SglangEngine
):
    weights = Weights(8, seed=8)

    async def scenario() -> tuple[list[Generation], str, Generation]:
        await started.update_weights(Weights(7, seed=7))
        await started.update_weights(weights)
        calls = [
            asyncio.create_task(started.generate(request([*PROMPT, i], 100, episode=str(i)))) for i in range(60)
        ]
        await asyncio.sleep(1.0)
        os.kill(server_pid(started.urls[0]), signal.SIGKILL)
        answers = await asyncio.gather(*calls)
        status = started.status()
        for i in range(60):
            started.close(str(i))
        while "2 of 2 servers" not in started.status():
            await asyncio.sleep(0.5)
        both = [started.generate(request([*PROMPT, i], 60, episode=f"again{i}")) for i in range(8)]
        return answers, status, (await asyncio.gather(*both))

    answers, status, again = loop.run(scenario(), 240)
    assert [said.finish for said in answers] == [Finish.LENGTH] * 60
    assert all(said.weight_versions == [8] * 100 for said in answers)
    assert "1 of 2 servers" in status and started.urls[0] in status
    for i, said in enumerate(again):
        assert said.weight_versions == [8] * 60
        assert said.logprobs == pytest.approx(weights.logprobs([*PROMPT, i], said.tokens), abs=1e-5)


def test_a_server_that_cannot_start_says_why_with_the_last_lines_of_its_log(loop, tmp_path):
    settings = SglangSettings(arguments=(*ARGUMENTS, "--no-such-argument"), startup_seconds=120)
    engine = SglangEngine(settings, "tiny", VOCABULARY, tmp_path)
    with pytest.raises(InfrastructureError, match="ended while it started.*no-such-argument.*exit code 2"):
        loop.run(engine.start())


def test_a_server_that_takes_too_long_to_start_is_ended(loop, tmp_path):
    engine = SglangEngine(
        SglangSettings(arguments=ARGUMENTS, startup_seconds=3), "tiny", VOCABULARY, tmp_path
    )
    with pytest.raises(InfrastructureError, match="not ready after 3 s"):
        loop.run(engine.start())
    with pytest.raises(AssertionError, match="no server"):
        server_pid(engine.urls[0] if engine.urls else "http://127.0.0.1:0")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_server_with_all_its_processes_ends_with_the_process_that_started_it(how: signal.Signals, tmp_path: Path):
    """With a command in the server's place that starts processes of its own, as the server does."""
    script = tmp_path / "tree.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)\n"
    )
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import sys, time\nfrom pathlib import Path\n"
        "from agent_rl.rollout.engines.sglang.server import ServerProcess\n"
        f"server = ServerProcess([sys.executable, {str(script)!r}], 'http://127.0.0.1:1', Path({str(tmp_path)!r}) / 'log')\n"
        "server.start()\nprint(server.pid, flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    session = int(process.stdout.readline())
    until = time.monotonic() + 20
    while len(in_session(session)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(in_session(session)) == 3  # the guard, the command, and what that started
    process.send_signal(how)
    process.wait()
    assert gone(session)
