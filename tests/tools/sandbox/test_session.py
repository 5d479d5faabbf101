"""Sessions of the local sandbox: state from one call to the next, and snapshots."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_rl.tools.sandbox.base import Limits, Result, Session, Status
from agent_rl.tools.sandbox.local import LocalSandbox


@asynccontextmanager
async def begun(sandbox: LocalSandbox, **limits: Any) -> AsyncIterator[Session]:
    session = await sandbox.session(Limits(**({"seconds": 20.0} | limits)))
    try:
        yield session
    finally:
        await session.close()
        await session.close()


def cells(sandbox: LocalSandbox, *codes: str, **limits: Any) -> list[Result]:
    async def run() -> list[Result]:
        async with begun(sandbox, **limits) as session:
            return [await session.run(code) for code in codes]

    return asyncio.run(run())


def test_state_is_kept_and_the_last_value_is_written(sandbox: LocalSandbox) -> None:
    first, second, third = cells(
        sandbox, "import math\nx = 20", "def f(n):\n    return n * 2\nprint('hi')\nf(x) + 2", "None"
    )
    assert (first.status, first.stdout, first.tier) == (Status.FINISHED, "", "namespaces")
    assert (second.exit_code, second.stdout) == (0, "hi\n42\n")
    assert third.stdout == ""


def test_an_error_ends_the_cell_alone_and_shows_its_lines(sandbox: LocalSandbox) -> None:
    _, failed, after = cells(sandbox, "x = 1", "y = 2\nx / 0", "x + y")
    assert (failed.status, failed.exit_code) == (Status.ERROR, 1)
    assert failed.stderr == (
        'Traceback (most recent call last):\n  File "<cell 2>", line 2, in <module>\n    x / 0\n'
        "    ~~^~~\nZeroDivisionError: division by zero\n"
    )
    assert after.stdout == "3\n"


def test_leaving_a_cell_keeps_the_state(sandbox: LocalSandbox) -> None:
    left, after = cells(sandbox, "x = 1\nimport sys\nsys.exit(3)", "x")
    assert (left.exit_code, after.stdout, after.message) == (3, "1\n", "")


def test_closing_a_session_ends_the_call_that_goes_on_and_leaves_the_loop_in_order(sandbox: LocalSandbox) -> None:
    async def closed_within() -> tuple[Result, list[Result]]:
        async with begun(sandbox) as session, begun(sandbox) as other:
            await session.run("1")
            going = asyncio.create_task(session.run("import time\ntime.sleep(60)"))
            await asyncio.sleep(0.1)
            await session.close()
            return await going, [await other.run(str(number)) for number in range(3)]

    going, after = asyncio.run(closed_within())
    assert (going.status, going.message) == (Status.INFRASTRUCTURE, "the session was closed within a call")
    assert [result.stdout for result in after] == ["0\n", "1\n", "2\n"]


@pytest.mark.parametrize("before", [(), ("x = 1",)])
def test_a_closed_session_runs_nothing_more(sandbox: LocalSandbox, before: tuple[str, ...]) -> None:
    async def used_after() -> None:
        session = await sandbox.session(Limits(seconds=20.0))
        for code in before:
            await session.run(code)
        await session.close()
        for use in (session.run("1"), session.snapshot()):
            with pytest.raises(RuntimeError, match=r"^the session has been closed"):
                await use

    asyncio.run(used_after())


def test_what_waits_for_its_turn_in_a_session_that_is_closed_is_refused(sandbox: LocalSandbox) -> None:
    async def refused() -> list[Result | BaseException]:
        async with begun(sandbox) as session:
            calls = [asyncio.create_task(session.run("import time; time.sleep(60)")) for _ in range(2)]
            await asyncio.sleep(0.1)  # the first may have begun its interpreter, or be about to
            await session.close()
            return await asyncio.gather(*calls, return_exceptions=True)

    first, second = asyncio.run(refused())
    assert not isinstance(first, Result) or first.status is Status.INFRASTRUCTURE
    assert isinstance(second, RuntimeError)


def test_a_process_with_more_than_a_thousand_open_files_has_sessions(sandbox: LocalSandbox) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert [result.stdout for result in cells(sandbox, "x = 1", "x + 1")] == ["", "2\n"]
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize(
    ("code", "limits", "status"),
    [
        ("while True: pass", {"seconds": 0.3}, Status.TIME_LIMIT),
        ("while True: print('x' * 99)", {"output_kb": 1}, Status.OUTPUT_LIMIT),
        ("import os\nfor _ in range(4): os.fork()\nb = bytearray(60 << 20)\nwhile True: pass", {"memory_mb": 100},
         Status.MEMORY_LIMIT),
        ("import os; os._exit(0)", {}, Status.ERROR),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", {}, Status.ERROR),
    ],
)  # fmt: skip
def test_a_limit_ends_the_interpreter_and_the_next_call_says_so(
    sandbox: LocalSandbox, code: str, limits: dict[str, float], status: Status
) -> None:
    _, ended, after, last = cells(sandbox, "x = 1", code, "x", "1 + 1", **limits)
    assert ended.status is status
    assert (after.status, after.stderr[-30:]) == (Status.ERROR, "NameError: name 'x' is not defined\n"[-30:])
    assert after.message == f"the interpreter had ended ({status}) and began anew: nothing of before is defined"
    assert (last.stdout, last.message) == ("2\n", "")


def test_a_cell_that_asks_for_too_much_memory_keeps_the_state(sandbox: LocalSandbox) -> None:
    _, failed, after = cells(sandbox, "x = 1", "y = bytearray(1 << 40)", "x", memory_mb=100)
    assert (failed.status, after.stdout) == (Status.MEMORY_LIMIT, "1\n")


def test_a_snapshot_begins_with_the_state_and_goes_its_own_way(sandbox: LocalSandbox) -> None:
    async def run() -> None:
        async with begun(sandbox) as session:
            await session.run("import random\nx = [1]\nopen('a', 'w').write('old')\nrandom.seed(1)")
            copy = await session.snapshot()
            await session.run("x.append(2)\nopen('a', 'w').write('new')")
            assert (await copy.run("x.append(3)\nx, open('a').read()")).stdout == "([1, 3], 'old')\n"
            assert (await session.run("x, open('a').read()")).stdout == "([1, 2], 'new')\n"
            drawn = [(await one.run("random.random()")).stdout for one in (session, copy)]
            assert drawn[0] == drawn[1]
            await copy.close()
            assert (await session.run("x")).stdout == "[1, 2]\n"

    asyncio.run(run())


def test_a_snapshot_outlives_what_it_was_taken_of_and_its_limits(sandbox: LocalSandbox) -> None:
    async def run() -> None:
        async with begun(sandbox) as session:
            await session.run("x = 7")
            copy = await session.snapshot()
            assert (await session.run("while True: pass", 0.3)).status is Status.TIME_LIMIT
            assert (await copy.run("x")).stdout == "7\n"
            await session.close()
            assert (await (await copy.snapshot()).run("x + 1")).stdout == "8\n"
            await copy.close()

    asyncio.run(run())


def test_what_a_cell_writes_to_its_control_socket_harms_nobody_else(sandbox: LocalSandbox) -> None:
    code = "import os\nfor n in range(3, 20):\n"
    code += '    try: os.write(n, b\'{"cell": 2, "exit": 0}\')\n    except OSError: pass\n'
    _, _, third = cells(sandbox, code, "1", "2")
    assert (third.status, third.stdout) == (Status.FINISHED, "2\n")


def test_a_process_that_a_cell_forks_ends_with_the_cell(sandbox: LocalSandbox) -> None:
    forked, after = cells(sandbox, "import os\nx = os.fork()\nif x: _ = os.waitpid(x, 0)\nprint(x > 0)", "x > 0")
    assert (sorted(forked.stdout.split()), after.stdout) == (["False", "True"], "True\n")


def test_what_a_cell_leaves_running_stands_still_between_calls(sandbox: LocalSandbox) -> None:
    async def run() -> None:
        async with begun(sandbox) as session:
            chain = "import os\nif not os.fork():\n    while True:\n        open('a', 'a').write('x')\n"
            await session.run(chain + "        if os.fork(): os._exit(0)\nwhile not os.path.exists('a'): pass")
            await asyncio.sleep(0.3)
            sizes = []
            for _ in range(2):
                result = await session.run("n = os.path.getsize('a'); n")
                sizes.append(int(result.stdout))
                await asyncio.sleep(0.3)
            assert sizes[1] - sizes[0] < 100

    asyncio.run(run())


def test_a_program_that_makes_copies_impossible_has_one_that_begins_anew(sandbox: LocalSandbox) -> None:
    async def run() -> None:
        async with begun(sandbox, seconds=2.0) as session:
            await session.run("x = 1\nimport os, time\nwhile True:\n    if not os.fork(): time.sleep(99)")
            copy = await session.snapshot()
            result = await copy.run("1 + 1")
            assert (result.stdout, "began anew" in result.message) == ("2\n", True)
            assert (await session.run("x")).stdout == "1\n"
            await copy.close()

    asyncio.run(run())


def test_a_cell_that_nobody_waits_for_does_not_go_on_within_the_next(sandbox: LocalSandbox) -> None:
    async def run() -> None:
        async with begun(sandbox) as session:
            await session.run("x = 1")
            running = asyncio.ensure_future(session.run("import time; time.sleep(60)"))
            await asyncio.sleep(0.3)
            running.cancel()
            await asyncio.wait([running])
            after = await session.run("1 + 1")
            assert (after.stdout, "began anew" in after.message) == ("2\n", True)

    asyncio.run(run())


def test_many_sessions_run_side_by_side(sandbox: LocalSandbox) -> None:
    async def one(number: int) -> str:
        async with begun(sandbox) as session:
            await session.run(f"x = {number}")
            return (await session.run("x ** 2")).stdout

    async def run() -> list[str]:
        return await asyncio.gather(*map(one, range(6)))

    assert asyncio.run(run()) == [f"{number**2}\n" for number in range(6)]
