"""Programs as commands: compiled once, with files as archives, and signals as shells tell them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.archives import packed, unpacked
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.jobs import Job, check_languages, check_program, from_shell, run_jobs

PATHS = st.lists(
    st.text("abcé .-", min_size=1, max_size=8).filter(lambda part: part.strip(".")), min_size=1, max_size=3
)


class FakeRuns:
    """Runs nothing: a compiler makes what is fetched, unless it is to fail."""

    def __init__(self, compiles: bool = True) -> None:
        self.jobs: list[tuple[Job, str]] = []
        self._compiles = compiles

    async def run(self, job: Job, stdin: str) -> Result:
        self.jobs.append((job, stdin))
        if job.command[0] == "g++":
            made = dict.fromkeys(job.fetch, b"made") if self._compiles else {}
            return Result(Status.FINISHED, 0, files=made)
        return Result(Status.FINISHED, 0, f"ran with {stdin}")


def test_what_is_compiled_is_compiled_once_with_limits_of_its_own():
    runs, limits = FakeRuns(), Limits(seconds=3, compile_seconds=7, memory_mb=64)
    results = asyncio.run(run_jobs(Program("code", "cpp", {"f": b"x"}, ("out",), limits), ["a", "b"], runs.run))
    assert [result.stdout for result in results] == ["ran with a", "ran with b"]
    compiling, *running = [job for job, _ in runs.jobs]
    assert compiling.limits.seconds == 7 and compiling.limits.memory_mb > 64
    assert compiling.files == {"f": b"x", "main.cpp": b"code"}
    assert [job.files for job in running] == [{"f": b"x", "main": b"made"}] * 2
    assert all(job.limits == limits and job.fetch == ("out",) for job in running)


def test_what_is_not_compiled_is_not_run():
    runs = FakeRuns(compiles=False)
    results = asyncio.run(run_jobs(Program("code", "cpp"), ["a", "b"], runs.run))
    assert [(result.status, result.stage) for result in results] == [(Status.ERROR, "compile")] * 2
    assert len(runs.jobs) == 1


def test_python_is_run_as_it_comes():
    runs = FakeRuns()
    asyncio.run(run_jobs(Program("code"), ["a"], runs.run))
    assert [(job.command, job.files) for job, _ in runs.jobs] == [(("python3", "main.py"), {"main.py": b"code"})]


def test_what_cannot_be_run_is_the_users():
    with pytest.raises(UserError, match="did you mean 'rust'"):
        check_languages(["python", "rsut"])
    with pytest.raises(UserError, match="no 'cpp'"):
        check_program(Program("", "cpp"), ["python"])
    with pytest.raises(UserError, match="working folder"):
        check_program(Program("", fetch=("../x",)), ["python"])


def test_only_exit_codes_of_signals_are_negative():
    assert [from_shell(code) for code in (0, 1, 127, 128, 129, 137, 139, 192, 193, 255)] == [
        0, 1, 127, 128, -1, -9, -11, -64, 193, 255,
    ]  # fmt: skip


@given(st.dictionaries(PATHS.map("/".join), st.binary(max_size=100), max_size=4))
def test_archives_give_back_what_is_in_them(files: dict[str, bytes]):
    assert unpacked(packed(files)) == files


@given(st.binary(max_size=600))
def test_a_damaged_archive_raises_nothing(content: bytes):
    assert isinstance(unpacked(content), dict)
    whole = packed({"a": b"x" * 600, "b": b"y"})
    assert unpacked(whole[: len(content)]) in ({}, {"a": b"x" * 600}, {"a": b"x" * 600, "b": b"y"})
