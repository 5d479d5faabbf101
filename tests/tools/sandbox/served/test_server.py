"""The server: the contract's words, a bounded queue, and a stop that loses nothing. Programs are not run here."""

import asyncio
import base64
import threading
import time
from typing import Any

import httpx
import pytest

from agent_rl.tools.sandbox.base import Limits, Result, Status
from agent_rl.tools.sandbox.server.gate import BusyError, Gate
from tests.tools.sandbox.served.fake import FakeSandbox, served

PRINT = {"code": "print(1)", "language": "python"}


def post(url: str, body: dict[str, Any], path: str = "/run_code") -> httpx.Response:
    return httpx.post(f"{url}{path}", json=body, timeout=120)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_run_is_told_in_the_contracts_words(fake: FakeSandbox):
    fake.result = Result(Status.FINISHED, 0, "1\n", "", 0.5, tier="namespaces", files={"f": b"x"})
    said = post(fake.url, PRINT).json()
    assert said["status"] == "Success" and said["message"] == "" and said["compile_result"] is None
    assert said["run_result"] == {
        "status": "Finished",
        "execution_time": 0.5,
        "return_code": 0,
        "stdout": "1\n",
        "stderr": "",
    }
    assert said["files"] == {"f": base64.b64encode(b"x").decode()}


@pytest.mark.parametrize(
    ("result", "status", "code", "message"),
    [
        (Result(Status.ERROR, 2), "Finished", 2, ""),
        (Result(Status.ERROR, -11), "Finished", -11, ""),
        (Result(Status.TIME_LIMIT), "TimeLimitExceeded", None, ""),
        (Result(Status.MEMORY_LIMIT), "Finished", -9, "memory"),
        (Result(Status.OUTPUT_LIMIT, 0, "x" * 100), "Finished", -9, "output is cut"),
    ],
)
@pytest.mark.parametrize("stage", ["run", "compile"])
def test_what_failed_is_never_called_a_success(
    fake: FakeSandbox, result: Result, status: str, code: Any, message: str, stage: str
):
    fake.result = Result(result.status, result.exit_code, result.stdout, stage=stage)  # type: ignore[arg-type]
    said = post(fake.url, PRINT).json()
    command = said[f"{stage}_result"]
    assert (said["status"], command["status"], command["return_code"]) == ("Failed", status, code)
    assert message in said["message"]
    assert (said["run_result"] is None) == (stage == "compile")


def test_a_failed_sandbox_is_told_so(fake: FakeSandbox):
    fake.result = Result(Status.INFRASTRUCTURE, message="no disk")
    said = post(fake.url, PRINT).json()
    assert (said["status"], said["message"], said["run_result"]) == ("SandboxError", "no disk", None)
    said = post(fake.url, {**PRINT, "language": "swift"}).json()
    assert said["status"] == "SandboxError"
    assert said["message"] == "'swift' is not installed here, but python, bash, cpp, nodejs"
    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("language", "brainfuck"), ("language", "gtest"), ("priority", 3), ("run_timeout", 0), ("files", {"a": "?"})],
)
def test_what_is_not_of_the_contract_is_refused(fake: FakeSandbox, field: str, value: Any):
    answer = post(fake.url, {**PRINT, field: value})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][:2] == ["body", field]
    assert not fake.asked


@pytest.mark.parametrize(
    "more", [{"run_timeout": 31}, {"memory_limit_MB": 2000}, {"output_limit_KB": 9000}, {"process_limit": 500}]
)
def test_limits_over_the_servers_own_are_refused_and_not_lowered(more: dict[str, Any]):
    fake = FakeSandbox()
    most = {"most_seconds": 30, "most_memory_mb": 1999, "most_output_kb": 8999, "most_processes": 499}
    with served(fake, **most) as url:
        answer = post(url, {**PRINT, **more})
    assert answer.status_code == 400 and "at most" in answer.json()["detail"]
    assert not fake.asked


def test_what_a_request_does_not_say_is_the_servers_default():
    fake = FakeSandbox()
    with served(fake, memory_mb=77, output_kb=3, disk_mb=2, processes=9) as url:
        post(url, {**PRINT, "memory_limit_MB": -1, "files": {"kept": "eA==", "left out": None}})
    program, stdin = fake.asked[0]
    assert program.limits == Limits(seconds=10, compile_seconds=10, memory_mb=77, output_kb=3, disk_mb=2, processes=9)
    assert (program.files, stdin) == ({"kept": b"x"}, "")


def test_beyond_the_queue_requests_are_refused():
    fake = FakeSandbox()
    fake.open.clear()
    with served(fake, concurrency=2, queue=3) as url:
        threads = [threading.Thread(target=post, args=(url, PRINT)) for _ in range(5)]
        for thread in threads:
            thread.start()
        until(lambda: "_queued 3" in httpx.get(f"{url}/metrics").text)
        refused = post(url, PRINT)
        assert refused.status_code == 429 and float(refused.headers["retry-after"]) > 0
        assert "2 programs run and 3 wait" in refused.json()["detail"]
        assert len(fake.asked) == 2
        fake.open.set()
        for thread in threads:
            thread.join()
        assert post(url, PRINT).status_code == 200
    assert fake.ended == 6


def test_who_goes_away_gives_the_place_back():
    fake = FakeSandbox()
    fake.open.clear()
    with served(fake, concurrency=1, queue=1) as url:
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{url}/run_code", json=PRINT, timeout=0.1)
        until(lambda: fake.cancelled >= 1)
        fake.open.set()
        assert post(url, PRINT).status_code == 200
        until(lambda: "_in_flight 0" in httpx.get(f"{url}/metrics").text)


def test_the_figures_count_what_happened():
    fake = FakeSandbox()
    fake.result = Result(Status.TIME_LIMIT, seconds=2.0)
    with served(fake, concurrency=3) as url:
        for _ in range(2):
            post(url, PRINT)
        answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    for line in (
        'agent_rl_sandbox_runs_total{language="python",status="time_limit"} 2',
        "# HELP agent_rl_sandbox_in_flight Requests that are worked on.",
        "agent_rl_sandbox_in_flight 0",
        "agent_rl_sandbox_queued 0",
        "agent_rl_sandbox_concurrency 3",
        'agent_rl_sandbox_run_seconds_bucket{le="1.0"} 0',
        'agent_rl_sandbox_run_seconds_bucket{le="3.0"} 2',
        'agent_rl_sandbox_run_seconds_bucket{le="+Inf"} 2',
        "agent_rl_sandbox_run_seconds_sum 4.000000",
        "agent_rl_sandbox_run_seconds_count 2",
    ):
        assert line in lines
    types = [number for number, line in enumerate(lines) if line.startswith("# TYPE ")]
    assert len(types) == 7
    assert all(lines[number - 1].startswith("# HELP " + lines[number].split()[2]) for number in types)


def test_it_answers_and_describes_itself():
    with served(FakeSandbox()) as url:
        assert httpx.get(f"{url}/v1/ping").json() == "pong"
        assert httpx.get(f"{url}/list_datasets").json() == []
        assert post(url, {}, "/get_prompts").status_code == 404
        assert {"/run_code", "/run_jupyter", "/submit"} < set(httpx.get(f"{url}/openapi.json").json()["paths"])
        assert httpx.get(f"{url}/docs").status_code == 200
        assert post(url, {"cells": ["1"]}, "/run_jupyter").status_code == 400  # a fake has no sessions


def test_a_gate_that_stops_lets_what_runs_go_on():
    async def stop() -> None:
        gate, going_on = Gate(1, 5), asyncio.Event()

        async def work() -> str:
            async with gate.place():
                await going_on.wait()
                return "done"

        first, second = asyncio.create_task(work()), asyncio.create_task(work())
        await asyncio.sleep(0)
        gate.stop()
        with pytest.raises(BusyError, match="stopping"):
            await work()
        going_on.set()
        assert await first == "done"
        with pytest.raises(BusyError, match="stopping"):
            await second
        assert "_in_flight 0" in gate.text() and 'refused_total{code="503"} 2' in gate.text()

    asyncio.run(stop())
