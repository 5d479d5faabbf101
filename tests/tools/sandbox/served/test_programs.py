"""Real programs through `agent-rl serve sandbox`: the same comes out as of the sandbox that it serves."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agent_rl.cli.main import main
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.fusion import FusionSandbox, FusionSettings
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
from tests.tools.sandbox.served.process import serving

QUICK = Limits(seconds=5, output_kb=64)
PROGRAMS = {
    "prints": Program("print(input()[::-1])", limits=QUICK),
    "exits": Program("import sys; print(1); sys.exit(7)", limits=QUICK),
    "raises": Program("1 / 0", limits=QUICK),
    "dies": Program("import os; os.kill(os.getpid(), 11)", limits=QUICK),
    "is no program": Program("def", limits=QUICK),
    "loops": Program("print('begun', flush=True)\nwhile True: pass", limits=Limits(seconds=1.5)),
    "eats memory": Program("x = bytearray(10 ** 9)", limits=Limits(memory_mb=100)),
    "floods": Program("while True: print('x' * 1000)", limits=QUICK),
    "floods the other stream": Program("import sys\nwhile True: sys.stderr.write('x' * 1000)", limits=QUICK),
    "writes files": Program(
        "import os; os.mkdir('b'); open('b/c', 'wb').write(open('a', 'rb').read()[::-1])",
        files={"a": b"\0\xff"},
        fetch=("b/c", "nowhere"),
        limits=QUICK,
    ),
    "writes no text": Program("import os; os.write(1, b'a\\xff\\xfeb')", limits=QUICK),
    "writes much": Program("print('é' * 100_000)", limits=Limits(output_kb=1000)),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as (url, _):
        yield url


def without_measurements(result: Result) -> Result:
    return replace(result, seconds=0.0, peak_memory_mb=None)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_comes_out_as_without_a_server(url: str, name: str):
    async def both() -> list[Result]:
        sandboxes = [LocalSandbox(LocalSettings()), FusionSandbox(FusionSettings(url=url))]
        try:
            return [await sandbox.run(PROGRAMS[name], "hello\n") for sandbox in sandboxes]
        finally:
            for sandbox in sandboxes:
                await sandbox.close()

    local, remote = asyncio.run(both())
    if local.status is Status.OUTPUT_LIMIT:  # how much of it was read when it was ended is a matter of time
        assert remote.status is Status.OUTPUT_LIMIT
        assert {len(remote.stdout), len(remote.stderr)} >= {0} and max(len(remote.stdout), len(remote.stderr)) > 60_000
    else:
        assert without_measurements(remote) == without_measurements(local)
        assert remote.peak_memory_mb and remote.tier == local.tier


def cells(url: str, *code: str, **more: object) -> dict[str, Any]:
    answer = httpx.post(f"{url}/run_jupyter", json={"cells": code, **more}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_cells_share_an_interpreter_and_go_on_after_an_exception(url: str):
    said = cells(url, "a = [1]\na", "import sys; print(a, file=sys.stderr)", "1 / 0", "print(a * 2)")
    assert said["status"] == "Success" and said["driver"]["status"] == "Finished"
    assert [cell["stdout"] for cell in said["cells"]] == ["[1]\n", "", "", "[1, 1]\n"]
    assert said["cells"][1]["stderr"] == "[1]\n"
    (error,) = said["cells"][2]["error"]
    assert (error["ename"], error["evalue"]) == ("ZeroDivisionError", "division by zero") and error["traceback"]
    assert not any(said["cells"][number]["error"] for number in (0, 1, 3))


def test_files_go_in_and_come_out_of_an_interpreter(url: str):
    code = "open('b/c', 'wb').write(open('b/a', 'rb').read()[::-1])"
    said = cells(url, code, "dir()", files={"b/a": "AAH/"}, fetch_files=["b/c", "nowhere"])
    assert said["files"] == {"b/c": "/wEA"}
    assert "_put" not in said["cells"][1]["stdout"]


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("while True: pass", "TimeLimitExceeded", "time_limit"),
        ("while True: print('x' * 1000)", "Finished", "output_limit"),
        ("import os; os._exit(3)", "Finished", "error"),
    ],
)
def test_a_cell_that_ends_the_interpreter_is_the_last(url: str, code: str, status: str, told: str):
    said = cells(url, "print(1)", code, "print(2)", cell_timeout=2)
    assert (said["status"], said["driver"]["status"]) == ("Failed", status)
    assert said["driver"]["return_code"] != 0 and told in said["message"]
    assert len(said["cells"]) == 2 and said["cells"][0]["stdout"] == "1\n"


def test_all_cells_together_have_a_time(url: str):
    said = cells(url, "import time; time.sleep(0.4)", "time.sleep(60)", "print(2)", total_timeout=2)
    assert (said["status"], len(said["cells"])) == ("Failed", 2)


def test_what_a_notebook_may_not_have_is_refused(url: str):
    for more, status in (({"files": {"../a": ""}}, 400), ({"total_timeout": 1e6}, 400), ({"kernel": "bash"}, 422)):
        assert httpx.post(f"{url}/run_jupyter", json={"cells": [], **more}).status_code == status


def test_a_sandbox_that_does_not_work_is_not_served(capsys: pytest.CaptureFixture[str]):
    words = ["sandbox=fusion", "sandbox.url=http://127.0.0.1:9", "sandbox.attempts=1", "port=0"]
    assert main(["serve", "sandbox", *words]) == 1
    assert "the sandbox does not work: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_stop_lets_programs_end_and_refuses_new_ones():
    with serving() as (url, server):
        answers: list[httpx.Response] = []
        body = {"code": "import time; print('begun'); time.sleep(1); print('ended')", "language": "python"}
        thread = threading.Thread(target=lambda: answers.append(httpx.post(f"{url}/run_code", json=body, timeout=120)))
        thread.start()
        while "in_flight 1" not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        with pytest.raises(httpx.TransportError):
            while True:  # until the signal has been seen
                assert httpx.get(f"{url}/v1/ping").status_code == 200
                time.sleep(0.02)
        thread.join()
        assert answers[0].json()["run_result"]["stdout"] == "begun\nended\n"
        assert server.wait(timeout=120) == 143
