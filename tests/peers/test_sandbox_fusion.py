"""Sandbox Fusion: its client and ours hear the same of our server, and verl's reward client understands it.

Sandbox Fusion's own server is not on PyPI. What it answers is written down in `tests/clients/fake_fusion.py` and in the
tests that use it; here our server answers, and the real client reads.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.fusion import FusionSandbox, FusionSettings
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
from tests.tools.sandbox.served.fake import FakeSandbox, served

PROGRAMS = {
    "prints": "print(input())",
    "exits": "print(1); raise SystemExit(3)",
    "raises": "1 / 0",
    "is killed": "import os; os.kill(os.getpid(), 9)",
    "loops": "print('begun', flush=True)\nwhile True: pass",
    "floods": "while True: print('x' * 1000)",
    "eats memory": "x = bytearray(4 * 10 ** 9)",
    "writes a file": "open('out', 'wb').write(open('in', 'rb').read()[::-1])",
}
FINISH = {"prints", "writes a file"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    sandbox = LocalSandbox(LocalSettings())
    with served(sandbox) as url:
        yield url


def theirs(url: str, code: str, **more: Any) -> Any:
    from sandbox_fusion import RunCodeRequest, run_code

    request = RunCodeRequest(
        code=code, language="python", run_timeout=1, files={"in": "AAH/"}, fetch_files=["out"], **more
    )
    return run_code(request, endpoint=url, max_attempts=1, client_timeout=30)


def ours(url: str, code: str, stdin: str = "") -> Result:
    async def run() -> Result:
        sandbox = FusionSandbox(FusionSettings(url=url))
        limits = Limits(seconds=1, memory_mb=1024)
        try:
            return await sandbox.run(Program(code, files={"in": b"\0\1\xff"}, fetch=("out",), limits=limits), stdin)
        finally:
            await sandbox.close()

    return asyncio.run(run())


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_programs_give_the_same_results_through_both_clients(url: str, name: str):
    said, result = theirs(url, PROGRAMS[name], stdin="hello\n"), ours(url, PROGRAMS[name], "hello\n")
    assert (said.status.value == "Success") == (result.status is Status.FINISHED) == (name in FINISH)
    assert (said.run_result.status.value == "TimeLimitExceeded") == (result.status is Status.TIME_LIMIT)
    assert said.run_result.stderr == result.stderr
    if result.status is Status.OUTPUT_LIMIT:  # how much was read of it is a matter of time
        assert said.run_result.return_code == -9 and "output is cut" in said.message
    else:
        assert said.run_result.stdout == result.stdout
    if result.exit_code is not None:
        assert said.run_result.return_code == (result.exit_code or said.run_result.return_code)
    assert said.files == ({"out": "/wEA"} if name == "writes a file" else {})
    assert result.files == ({"out": b"\xff\1\0"} if name == "writes a file" else {})


def test_their_summary_tells_what_failed(url: str):
    from sandbox_fusion import SummaryMapping, summary_run_code_result

    mapping = SummaryMapping(RunFailed="run failed", RunTimeout="too slow")
    told = {name: summary_run_code_result(theirs(url, code, stdin=""), mapping) for name, code in PROGRAMS.items()}
    assert told.pop("loops") == "too slow" and told.pop("writes a file") == "Success"
    assert set(told.values()) == {"run failed"}  # also print(input()), without an input


def test_their_asynchronous_client_and_their_verdicts_work(url: str):
    from sandbox_fusion import RunCodeRequest, SubmitRequest, TestConfig, run_code_async, submit

    said = asyncio.run(run_code_async(RunCodeRequest(code="print(2)", language="python"), endpoint=url, max_attempts=1))
    assert said.run_result.stdout == "2\n"
    tests = [{"input": {"stdin": f"{number}"}, "output": {"stdout": f"{2 * number}"}} for number in range(3)]
    for factor, passed in ((2, [True, True, True]), (3, [True, False])):
        request = SubmitRequest(
            dataset="mine",
            id="a",
            completion=f"```python\nprint({factor} * int(input()))\n```",
            config=TestConfig(dataset_type="CommonOJDataset", language="python", provided_data={"test": tests}),
        )
        said = submit(request, endpoint=url, max_attempts=1)
        assert said.accepted is (factor == 2) and [test.passed for test in said.tests] == passed


def test_their_cells_run_in_one_interpreter(url: str):
    from sandbox_fusion import RunJupyterRequest, run_jupyter

    request = RunJupyterRequest(cells=["a = 1", "a + 1", "b", "a"], files={"in": "AAH/"}, fetch_files=["in"])
    said = run_jupyter(request, endpoint=url, max_attempts=1)
    assert said.status.value == "Success" and said.files == {"in": "AAH/"}
    assert [cell.stdout for cell in said.cells] == ["", "2\n", "", "1\n"]
    assert said.cells[2].error[0]["ename"] == "NameError"


def test_a_failed_sandbox_is_an_error_to_them_and_no_result():
    from sandbox_fusion import SubmitRequest, TestConfig, submit

    fake = FakeSandbox()
    fake.result = Result(Status.INFRASTRUCTURE, message="no disk")
    with served(fake) as url:
        with pytest.raises(Exception, match="Sandbox responded with error: no disk"):
            theirs(url, "print(1)")
        tests = [{"input": {"stdin": ""}, "output": {"stdout": ""}}]
        config = TestConfig(dataset_type="CommonOJDataset", language="python", provided_data={"test": tests})
        with pytest.raises(Exception, match="code 500"):
            submit(SubmitRequest(dataset="a", id=1, completion="", config=config), endpoint=url, max_attempts=1)


def test_a_language_that_only_their_client_knows_is_refused(url: str):
    from sandbox_fusion import RunCodeRequest, run_code

    with pytest.raises(Exception, match=r"code 422.*gtest"):
        run_code(RunCodeRequest(code="", language="gtest"), endpoint=url, max_attempts=1)


# --- verl ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def verl_check(verl_without_its_engines: None) -> Any:
    from verl.utils.reward_score.sandbox_fusion.utils import check_correctness

    return check_correctness


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print(int(input()) * 2)", [True, True]),
        ("print(2)", [True, False]),
        ("1 / 0", [-2, -2]),
        ("while True: pass", [-3, -3]),
        ("while True: print('x' * 1000)", [-2, -2]),
    ],
)
def test_verls_reward_client_understands_our_server(url: str, verl_check: Any, code: str, expected: list[Any]):
    cases = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
    results, told = verl_check(f"{url}/run_code", cases, code, timeout=1, language="python")
    assert results == expected, json.dumps(told, default=str)


def test_verls_reward_client_tells_a_failed_sandbox_from_a_failed_program(verl_check: Any):
    fake = FakeSandbox()
    fake.result = Result(Status.INFRASTRUCTURE, message="no disk")
    with served(fake) as url:
        results, _ = verl_check(f"{url}/run_code", {"inputs": [""], "outputs": [""]}, "print()", timeout=1)
    assert results == [-1]
