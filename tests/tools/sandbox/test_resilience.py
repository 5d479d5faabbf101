"""What happens when something of the sandbox dies, and what is left behind: nothing."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings, Tier, ladder
from agent_rl.tools.sandbox.local import run as local_run
from agent_rl.tools.sandbox.local.client import Start
from agent_rl.tools.sandbox.local.forked import tree

SLEEP = Program("import time; time.sleep(60)", limits=Limits(seconds=100))
ORPHANED = """
import asyncio, sys
sys.path.insert(0, {tests!r})
import lesser_kernel
lesser_kernel.without(*{closed})
from agent_rl.tools.sandbox.base import Limits, Program
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings

async def main():
    sandbox = LocalSandbox(LocalSettings(weakest="landlock"))
    await sandbox.run(Program("pass"))
    print("ready", flush=True)
    code = "import os, time\\nfor _ in range(3):\\n    if not os.fork(): os.setsid()\\ntime.sleep(60)"
    await sandbox.run(Program(code, limits=Limits(seconds=100)))

asyncio.run(main())
"""


def until(true: Callable[[], object]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def test_a_fork_server_that_dies_is_an_infrastructure_failure_and_replaced() -> None:
    async def run() -> None:
        sandbox = LocalSandbox(LocalSettings(concurrency=4))
        assert (await sandbox.run(Program("print(1)"))).stdout == "1\n"
        running = [asyncio.ensure_future(sandbox.run(SLEEP)) for _ in range(2)]
        session = await sandbox.session()
        await session.run("x = 1")
        await asyncio.sleep(0.3)
        (server,) = sandbox._servers.values()
        os.kill(tree.descendants(server._process.pid)[0], signal.SIGKILL)
        for result in await asyncio.gather(*running):
            assert result.status is Status.INFRASTRUCTURE
            assert "fork server has ended" in result.message
        assert (await sandbox.run(Program("print(2)"))).stdout == "2\n"
        after = await session.run("x")
        assert (after.status, "began anew" in after.message) == (Status.ERROR, True)
        await session.close()
        await sandbox.close()

    asyncio.run(run())


def test_a_program_that_may_have_been_killed_for_the_machines_memory_has_no_verdict(
    sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = Program("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    result = asyncio.run(sandbox.run(killed))
    assert (result.status, result.exit_code) == (Status.ERROR, -9)
    kills = itertools.count()  # as the kernel counts those whom it kills
    monkeypatch.setattr(local_run, "ended_for_memory", lambda: next(kills))
    result = asyncio.run(sandbox.run(killed))
    assert (result.status, result.message) == (Status.INFRASTRUCTURE, "the machine ran out of memory meanwhile")
    assert asyncio.run(sandbox.run(Program("print(1)"))).status is Status.FINISHED


def test_the_kernel_says_whom_it_has_killed_for_memory() -> None:
    counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    assert local_run.ended_for_memory() == int(counts.get("oom_kill", 0))


def test_a_run_that_nobody_waits_for_is_ended() -> None:
    async def run() -> None:
        sandbox = LocalSandbox(LocalSettings())
        await sandbox.run(Program("pass"))
        (server,) = sandbox._servers.values()
        running = asyncio.ensure_future(sandbox.run(SLEEP))
        while len(tree.descendants(server._process.pid)) < 3:
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait([running])
        until(lambda: len(tree.descendants(server._process.pid)) == 1)
        await sandbox.close()

    asyncio.run(run())


def test_a_first_run_that_nobody_waits_for_leaves_no_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        tried = asyncio.Event()

        async def endless(*_: object) -> Result:
            tried.set()
            await asyncio.sleep(60)
            raise AssertionError

        monkeypatch.setattr(ladder, "run_once", endless)
        first = asyncio.ensure_future(ladder.strongest(Tier.NAMESPACES, Start()))
        await tried.wait()
        assert len(set(tree.descendants(os.getpid())) - before) == 2
        first.cancel()
        await asyncio.wait([first])

    before = set(tree.descendants(os.getpid()))
    asyncio.run(run())
    until(lambda: not set(tree.descendants(os.getpid())) - before)


def test_runs_leave_no_process_and_no_descriptor() -> None:
    async def run() -> tuple[int, int]:
        for code in ("print(1)", "import os; os.fork()", "while True: print(1)", "1 / 0"):
            limits = Limits(output_kb=1)
            await asyncio.gather(*(sandbox.run(Program(code, limits=limits)) for _ in range(5)))
        session = await sandbox.session()
        await session.run("x = 1")
        copy = await session.snapshot()
        await session.close()
        await copy.close()
        (server,) = sandbox._servers.values()
        until(lambda: len(tree.descendants(server._process.pid)) == 1)
        guard = tree.descendants(server._process.pid)[0]
        return len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{guard}/fd"))

    sandbox = LocalSandbox(LocalSettings(concurrency=4))
    assert asyncio.run(run()) == asyncio.run(run())
    asyncio.run(sandbox.close())


@pytest.mark.parametrize("closed", ["[]", "[lesser_kernel.UNSHARE]"], ids=["namespaces", "landlock"])
def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path, closed: str) -> None:
    tests = Path(__file__).parent
    script = ORPHANED.format(tests=str(tests), closed=closed)
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(tests.parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    until(lambda: len(tree.descendants(parent.pid)) > 6)
    family = tree.descendants(parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(_alive(pid) for pid in family))
    until(lambda: not list(tmp_path.iterdir()))


def _alive(pid: int) -> bool:
    try:
        return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return False
