"""The tool `python`: what an agent reads of its programs, and what one call leaves to the next."""

import asyncio
from collections.abc import Iterator

import pytest

from agent_rl import make
from agent_rl.core import scopes
from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import InfrastructureError
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools import TOOLS
from agent_rl.tools import python as python_tool  # the module
from agent_rl.tools.python import SHOWN, PythonSession, PythonSettings, python, run_python, told
from agent_rl.tools.sandbox.base import Limits, Result, Status

LIMITS = Limits(seconds=10.0, memory_mb=256)


class Quick(PythonSession):
    settings = PythonSettings(seconds=2.0, memory_mb=256)


class Forgetful(PythonSession):
    settings = PythonSettings(state=False)


def said(session: PythonSession, *codes: str) -> list[str]:
    async def run() -> list[str]:
        try:
            return [await session.run(code) for code in codes]
        finally:
            await session.close()

    return asyncio.run(run())


@pytest.fixture
def episode() -> Iterator[str]:
    enter(EpisodeContext("python/1"))
    yield "python/1"
    asyncio.run(scopes.end("python/1"))


@pytest.mark.parametrize(
    ("result", "read"),
    [
        (Result(Status.FINISHED, 0, "7\n"), "7"),
        (Result(Status.FINISHED, 0, ""), "(no output)"),
        (Result(Status.FINISHED, 0, "7\n", "careful\n"), "7\ncareful"),
        (Result(Status.ERROR, 1, "7\n", "Traceback\nNameError: x\n"), "7\nTraceback\nNameError: x"),
        (Result(Status.ERROR, 3), "Error: it ended with code 3"),
        (Result(Status.TIME_LIMIT, stdout="7\n"), "7\nError: it took longer than 10 s"),
        (Result(Status.MEMORY_LIMIT), "Error: it used more than 256 MiB"),
        (Result(Status.OUTPUT_LIMIT, stdout="x"), "x\nError: it wrote more than 256 KiB"),
        (Result(Status.TIME_LIMIT, message="begun anew"), "Error: it took longer than 10 s\n(begun anew)"),
        (Result(Status.FINISHED, 0, "y" * (SHOWN + 5)), "y" * SHOWN + " [cut: 5 more characters]"),
        (Result(Status.ERROR, 1, stderr="\n".join(map(str, range(100)))), "94\n95\n96\n97\n98\n99"),
    ],
)
def test_what_an_agent_reads(result, read):
    assert told(result, LIMITS) == read


def test_a_program_of_its_own_is_run_and_read():
    assert asyncio.run(run_python("print(6 * 7)", LIMITS)) == "42"
    assert asyncio.run(run_python("1 / 0", LIMITS)).endswith("ZeroDivisionError: division by zero")


def test_state_is_kept_and_lost_where_a_limit_ends_the_interpreter_which_is_said():
    first, second, slow, after = said(Quick(), "x = 20", "x + 1", "while True: pass", "x")
    assert (first, second) == ("(no output)", "21")
    assert slow.startswith("Error: it took longer than 2 s")
    assert after.startswith("Traceback") or "NameError" in after


def test_without_state_each_call_is_a_program_of_its_own():
    first, second = said(Forgetful(), "x = 20\nprint(x)", "print(x)")
    assert first == "20"
    assert second.endswith("NameError: name 'x' is not defined")


@pytest.mark.parametrize(
    ("kind", "promised", "last"),
    [(Quick, "the value of a last expression", "21"), (Forgetful, "Nothing is kept", None)],
)
def test_the_model_is_told_what_a_call_shows_and_what_the_next_one_knows(kind, promised, last):
    (offered,) = kind().tools()
    assert promised in offered.description
    _, second = said(kind(), "x = 20", "x + 1")
    assert second == (last or second)
    assert ("NameError" in second) is (last is None)
    assert said(kind(), "6 * 7") == ["42" if last else "(no output)"]


def test_calls_of_one_turn_run_one_after_the_other():
    async def run() -> list[str]:
        session = PythonSession()
        try:
            return await asyncio.gather(*(session.run(code) for code in ("x = 1", "x += 1", "x")))
        finally:
            await session.close()

    assert asyncio.run(run())[2] == "2"


def test_the_tool_is_known_by_name_and_keeps_its_state_for_the_episode(episode):
    async def run() -> list[str]:
        calls = [tool_call("python", {"code": code}) for code in ("x = 3", "x * 2")]
        return [(await TOOLS["python"].call(call))["content"] for call in calls]

    assert TOOLS["python"] is python
    assert asyncio.run(run()) == ["(no output)", "6"]


def test_outside_of_episodes_the_named_tool_begins_anew():
    async def run() -> list[str]:
        calls = [tool_call("python", {"code": code}) for code in ("x = 3\nx", "x")]
        return [(await python.call(call))["content"] for call in calls]

    first, second = asyncio.run(run())
    assert first == "3"
    assert second.endswith("NameError: name 'x' is not defined")


def test_an_environment_has_it_as_a_toolset(episode):
    class Reasoning(ToolEnv):
        toolsets = (PythonSession,)

        def tasks(self, split):
            raise AssertionError("a task is given")

    env = Reasoning()
    task = make("countdown").tasks("train")[0]
    _, info = env.reset(options={"task": task})
    assert [schema["function"]["name"] for schema in info["tools"]] == ["python"]
    for code, answer in (("import math; y = math.pi", "(no output)"), ("round(y, 3)", "3.142")):
        observation, *_ = env.step(assistant("", [tool_call("python", {"code": code})]))
        assert observation[0]["content"] == answer


def test_math_may_be_done_with_python(episode):
    env = make("math", python=True)
    task = env.tasks("train")[0]
    env.reset(options={"task": task})
    observation, _, over, *_ = env.step(assistant("", [tool_call("python", {"code": "print(2**10)"})]))
    assert (observation[0]["content"], over) == ("1024", False)
    assert env.step(env.solution(task)[0])[1:3] == (1.0, True)
    assert make("math").reset(options={"task": task})[1]["tools"] == []


def test_a_sandbox_that_fails_is_no_answer(monkeypatch):
    class Down:
        async def run(self, program, stdin=""):
            return Result(Status.INFRASTRUCTURE, message="it is down")

    monkeypatch.setattr(python_tool, "current_sandbox", Down)
    with pytest.raises(InfrastructureError, match="sandbox: it is down"):
        asyncio.run(run_python("1", LIMITS))
