"""Servers of ours: one is killed in the middle of everything."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from agent_rl.rollout.engines import Finish, Generation
from agent_rl.rollout.engines.sglang import SglangEngine
from tests.sglang_cpu.conftest import LoopThread, Weights, request

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


def test_a_server_killed_in_the_middle_loses_no_request_and_comes_back_with_the_current_weights(
    loop: LoopThread, started: SglangEngine
):
    weights = Weights(8, seed=8)

    async def scenario() -> tuple[list[Generation], str, Generation]:
        await started.update_weights(Weights(7, seed=7))
        await started.update_weights(weights)
        calls = [asyncio.create_task(started.generate(request([*PROMPT, i], 100, episode=str(i)))) for i in range(60)]
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
