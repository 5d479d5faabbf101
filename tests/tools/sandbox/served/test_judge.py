"""Verdicts on completions: which code is taken, what passes, and that a failed sandbox gives no verdict."""

from typing import Any

import httpx
import pytest

from agent_rl.core.outcome import InfrastructureError
from agent_rl.tools.sandbox.base import Result, Status
from agent_rl.tools.sandbox.server.judge import extract, passes
from tests.tools.sandbox.served.fake import FakeSandbox

COMPLETION = "So:\n```python\nprint(1)\n```\nDone."


def finished(stdout: str) -> Result:
    return Result(Status.FINISHED, 0, stdout)


def submit(url: str, tests: Any, completion: str = COMPLETION, **config: Any) -> httpx.Response:
    given = {"dataset_type": "CommonOJDataset", "language": "python", "provided_data": {"id": 1, "test": tests}}
    body = {"dataset": "mine", "id": 1, "completion": completion, "config": {**given, **config}}
    return httpx.post(f"{url}/submit", json=body, timeout=120)


def case(stdin: str, stdout: str) -> dict[str, Any]:
    return {"input": {"stdin": stdin}, "output": {"stdout": stdout}}


@pytest.mark.parametrize(
    ("text", "code", "how"),
    [
        (COMPLETION, "print(1)", "fenced"),
        ("```\na\n```\n```py\nb\n```\n```python\nc\n```", "b", "fenced"),
        ("```cpp\na\n```\n```\nb\n```", "a", "fenced"),
        ("```python\na\n```\n```python\nb", "a", "fenced"),
        ("text\n```python\na\nb", "a\nb", "incomplete_fenced"),
        ("print(1)", "print(1)", "heuristic"),
        (" \n", " \n", "empty"),
        ("", "", "empty"),
    ],
)
def test_the_first_block_of_the_language_is_the_program(text: str, code: str, how: str):
    assert extract(text, "python") == (code, how)


@pytest.mark.parametrize(
    ("said", "expected", "same"),
    [
        ("1\n", "1", True),
        (" YES \nno\n\n", "yes\nNO", True),
        ("1.000001", "1", True),
        ("1.0001", "1", False),
        ("0.1 0.2", "0.1 0.20", False),  # numbers are compared where a line is one number
        ("1\n2", "1", False),
        ("", "", True),
        ("", "1", False),
        ("nan", "1", False),
        ("inf", "inf", True),
    ],
)
def test_output_is_compared_as_the_contract_says(said: str, expected: str, same: bool):
    assert passes(finished(said), expected) is same


@pytest.mark.parametrize("status", [Status.ERROR, Status.TIME_LIMIT, Status.MEMORY_LIMIT, Status.OUTPUT_LIMIT])
def test_a_program_that_did_not_finish_passes_nothing(status: Status):
    assert not passes(Result(status, stdout="1"), "1")


def test_a_failed_sandbox_is_no_verdict(fake: FakeSandbox):
    with pytest.raises(InfrastructureError):
        passes(Result(Status.INFRASTRUCTURE, message="no disk"), "1")
    fake.result = Result(Status.INFRASTRUCTURE, message="no disk")
    answer = submit(fake.url, [case("", "1")])
    assert answer.status_code == 500 and "no disk" in answer.json()["detail"]


def test_a_program_is_judged_by_its_tests(fake: FakeSandbox):
    fake.result = finished("1\n")
    said = submit(fake.url, [case("a", "1"), case("b", "1.0")]).json()
    assert said["accepted"] and [test["passed"] for test in said["tests"]] == [True, True]
    assert (said["extracted_code"], said["extracted_type"], said["id"]) == ("print(1)", "fenced", 1)
    assert [stdin for _, stdin in fake.asked] == ["a", "b"]
    assert all(program.limits.seconds == 20 for program, _ in fake.asked)
    assert submit(fake.url, '[{"input": {"stdin": ""}, "output": {"stdout": "1"}}]').json()["accepted"]


def test_judging_stops_at_the_first_failure_unless_asked_to_go_on(fake: FakeSandbox):
    fake.result = finished("1\n")
    tests = [case("a", "1"), case("b", "2"), case("c", "1")]
    said = submit(fake.url, tests).json()
    assert not said["accepted"] and [test["passed"] for test in said["tests"]] == [True, False]
    said = submit(fake.url, tests, extra={"run_all_cases": True}).json()
    assert not said["accepted"] and [test["passed"] for test in said["tests"]] == [True, False, True]
    fake.asked.clear()
    assert len(submit(fake.url, [case("a", "2"), case("b", "1")]).json()["tests"]) == 1
    assert len(fake.asked) == 1


def test_long_tests_are_given_back_whole_when_asked_for_or_failed(fake: FakeSandbox):
    fake.result = finished("1\n")
    long = "x" * 5000
    for extra, expected, whole in (({}, "1", False), ({"return_full_case": True}, "1", True), ({}, "2", True)):
        said = submit(fake.url, [case(long, expected)], extra=extra).json()
        assert (said["tests"][0]["test_info"]["input"]["stdin"] == long) is whole


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"custom_extract_logic": "submit_code_blocks([])"}, "custom_extract_logic"),
        ({"extra": {"is_few_shot": 1}}, "is_few_shot"),
        ({"language": None}, "language is missing"),
        ({"language": "swift"}, "not installed"),
        ({"dataset_type": "HumanEvalDataset"}, "no data sets"),
        ({"dataset_type": None}, "no data sets"),
        ({"provided_data": None}, "no data sets"),
        ({"provided_data": {"test": []}}, "empty"),
        ({"provided_data": {"test": [{"input": {"stdin": "", "f.txt": "x"}, "output": {"stdout": ""}}]}}, "f.txt"),
        ({"run_timeout": 100_000}, "at most"),
    ],
)
def test_what_is_not_judged_here_is_refused(fake: FakeSandbox, config: dict[str, Any], told: str):
    answer = submit(fake.url, [case("", "1")], **config)
    assert answer.status_code == 400 and told in answer.json()["detail"]
    assert not fake.asked
