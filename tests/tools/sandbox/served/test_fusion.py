"""sandbox=fusion: what a server says becomes the result that it is, whoever's server it is."""

import asyncio
import base64
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl.clients.fusion_messages import RunAnswer
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.scopes import RUN, keep
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.fusion import FusionSandbox, FusionSettings
from agent_rl.tools.sandbox.fusion.answers import read
from tests.clients.fake_fusion import fusion, ran
from tests.tools.sandbox.served.fake import FakeSandbox


def run(url: str, program: Program, stdin: str = "", **more: Any) -> Result:
    async def once() -> Result:
        sandbox = FusionSandbox(FusionSettings(url=url, backoff_seconds=0.01, **more))
        try:
            return await sandbox.run(program, stdin)
        finally:
            await sandbox.close()

    return asyncio.run(once())


def understood(body: dict[str, Any], **limits: Any) -> Result:
    return read(RunAnswer.model_validate(body), Limits(**limits), whole_kb=128)


def test_a_program_is_sent_with_all_its_limits():
    limits = Limits(seconds=3, compile_seconds=4, memory_mb=99, output_kb=7, disk_mb=5, processes=6)
    with fusion((200, ran("3\n", files={"out": base64.b64encode(b"\xff").decode()}))) as server:
        result = run(server.url, Program("x", "node", {"a/b": b"\0"}, ("out",), limits), "in")
    assert server.asked == [
        {
            "code": "x",
            "language": "nodejs",
            "stdin": "in",
            "compile_timeout": 4,
            "run_timeout": 3,
            "memory_limit_MB": 99,
            "files": {"a/b": "AA=="},
            "fetch_files": ["out"],
            "output_limit_KB": 7,
            "disk_limit_MB": 5,
            "process_limit": 6,
        }
    ]
    assert result == Result(Status.FINISHED, 0, "3\n", seconds=0.1, tier="remote", files={"out": b"\xff"})


@pytest.mark.parametrize(
    ("body", "status", "stage", "code"),
    [
        (ran("1"), Status.FINISHED, "run", 0),
        (ran("1", code=2), Status.ERROR, "run", 2),
        (ran("1", code=-11), Status.ERROR, "run", -11),
        (ran("1", code=None, status="TimeLimitExceeded"), Status.TIME_LIMIT, "run", None),
        (ran("x" * 131_072), Status.FINISHED, "run", 0),
        (ran("x" * 131_073), Status.OUTPUT_LIMIT, "run", None),
        (ran("é" * 70_000), Status.OUTPUT_LIMIT, "run", None),
        (ran("x" * 219_264), Status.OUTPUT_LIMIT, "run", None),
        (ran(stderr="x" * 219_264), Status.OUTPUT_LIMIT, "run", None),
        (ran("x" * 219_264, code=None, status="TimeLimitExceeded"), Status.OUTPUT_LIMIT, "run", None),
    ],
)
def test_what_a_server_says_of_a_run(body: dict[str, Any], status: Status, stage: str, code: int | None):
    result = understood(body)
    assert (result.status, result.stage, result.exit_code) == (status, stage, code)
    assert result.stdout == body["run_result"]["stdout"]


def compiled(**more: Any) -> dict[str, Any]:
    body = ran(stderr="expected ';'", **more)
    body["compile_result"] = body.pop("run_result")
    return body


def test_a_program_that_is_not_compiled_says_so():
    assert understood(compiled(code=1)).stage == "compile"
    assert understood(compiled(code=1)).status is Status.ERROR
    assert understood(compiled(code=None, status="TimeLimitExceeded")).status is Status.TIME_LIMIT


@pytest.mark.parametrize(
    "body",
    [
        {"status": "SandboxError", "message": "no disk"},
        {**ran(), "status": "SandboxError"},
        {"status": "Success"},
        {"status": "Failed", "run_result": None},
        ran(status="Error", code=None, stderr="cannot start"),
        ran(code=None),
        ran(files={"a": "no base64!"}),
        ran(outcome={"status": "unheard of"}),
        compiled(code=127),  # no compiler
        compiled(code=0),
    ],
)
def test_what_says_nothing_about_the_program_is_infrastructure(body: dict[str, Any]):
    result = understood(body)
    assert result.status is Status.INFRASTRUCTURE and result.message
    with pytest.raises(InfrastructureError):
        result.checked()


def test_output_beyond_the_limit_is_cut_and_never_a_success():
    result = understood(ran("é" * 1000, stderr="short"), output_kb=1)
    assert result.status is Status.OUTPUT_LIMIT
    assert result.stdout == "é" * 512 and result.stderr == "short"
    assert understood(ran("x" * 1024), output_kb=1).status is Status.FINISHED


@pytest.mark.parametrize("reply", [(500, {}), (503, {}), (200, b"<html>"), (0, b"")])
def test_a_failing_server_is_a_result_and_no_exception(reply: Any):
    with fusion(reply) as server:
        assert run(server.url, Program("x"), attempts=2).status is Status.INFRASTRUCTURE


def test_a_language_that_the_server_does_not_know_is_the_users():
    with (
        fusion((422, {"detail": [{"loc": ["body", "language"]}]})) as server,
        pytest.raises(UserError, match="language"),
    ):
        run(server.url, Program("x", "go"))
    with pytest.raises(UserError, match="did you mean 'python'"):
        run("http://127.0.0.1:9", Program("x", "pyhton"))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", "a\0b"])
def test_no_path_leaves_the_working_folder(path: str):
    with pytest.raises(UserError, match="working folder"):
        run("http://127.0.0.1:9", Program("x", files={path: b""}))
    with pytest.raises(UserError, match="working folder"):
        run("http://127.0.0.1:9", Program("x", fetch=(path,)))


def test_what_is_not_compiled_is_sent_once():
    program = Program("int main() {", "cpp")
    with fusion((200, compiled(code=1))) as server:
        sandbox = FusionSandbox(FusionSettings(url=server.url))
        results = asyncio.run(sandbox.run_each(program, ["a", "b", "c"]))
        assert len(server.asked) == 1
    assert [result.stage for result in results] == ["compile"] * 3


def test_each_input_has_its_result():
    with fusion((200, ran("1"))) as server:
        sandbox = FusionSandbox(FusionSettings(url=server.url))
        assert len(asyncio.run(sandbox.run_each(Program("", "cpp"), ["a", "b", "c"]))) == 3
        assert asyncio.run(sandbox.run_each(Program(""), [])) == []
        assert sorted(body["stdin"] for body in server.asked) == ["a", "b", "c"]


def test_there_are_no_sessions():
    with pytest.raises(UserError, match="no sessions"):
        asyncio.run(FusionSandbox(FusionSettings()).session())


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    assert FusionSettings().url == "http://localhost:8080"
    monkeypatch.setenv("SANDBOX_FUSION_ENDPOINT", "http://there:1")
    assert FusionSettings().url == "http://there:1"


# --- against the server of ours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["run", "compile"])
@pytest.mark.parametrize("status", list(Status))
def test_a_result_comes_through_our_server_as_it_is(fake: FakeSandbox, status: Status, stage: Any):
    code = {Status.FINISHED: 0, Status.ERROR: 3, Status.MEMORY_LIMIT: -9}.get(status)
    fake.result = Result(status, code, "out\ufffd", "err", 0.25, 12.5, "namespaces", stage, files={"f": b"\xff"})
    if status is Status.INFRASTRUCTURE:
        fake.result = Result(status, tier="remote", message="no disk")
    assert run(fake.url, Program("x")) == fake.result


def test_our_server_runs_what_was_asked_for(fake: FakeSandbox):
    limits = Limits(seconds=3, compile_seconds=4, memory_mb=99, output_kb=7, disk_mb=5, processes=6)
    program = Program("prö\ngram", "cpp", {"a/b": bytes(range(256))}, ("out",), limits)
    run(fake.url, program, "stdin\n")
    assert fake.asked == [(program, "stdin\n")]


@settings(max_examples=30)
@given(code=st.text(max_size=50), stdin=st.text(max_size=50), content=st.binary(max_size=50))
def test_any_text_arrives(served_fake: FakeSandbox, code: str, stdin: str, content: bytes):
    sandbox = keep(RUN, "test_any_text", lambda: FusionSandbox(FusionSettings(url=served_fake.url)))
    asyncio.run(sandbox.run(Program(code, files={"f": content}), stdin))
    program, received = served_fake.asked[-1]
    assert (program.code, received, program.files) == (code, stdin, {"f": content})


def test_lone_surrogates_arrive_as_question_marks(fake: FakeSandbox):
    run(fake.url, Program("print('\ud800')"), "\udfff")
    assert (fake.asked[0][0].code, fake.asked[0][1]) == ("print('?')", "?")


def test_threads_and_loops_share_the_sandbox(fake: FakeSandbox):
    fake.result = Result(Status.FINISHED, 0, "1\n", tier="fake")
    sandbox = FusionSandbox(FusionSettings(url=fake.url))
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(asyncio.run(sandbox.run(Program("print(1)"))))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(sandbox.close())
    assert results == [fake.result] * 8
