"""A cgroup for each run: what it bounds, what it tells, and that nothing of it stays behind."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
from agent_rl.tools.sandbox.local import cgroup as local_cgroup
from agent_rl.tools.sandbox.local import delegated as local_delegated
from agent_rl.tools.sandbox.local import run as local_run
from agent_rl.tools.sandbox.local.cgroup import V2, Ended, Group, removed
from agent_rl.tools.sandbox.local.delegated import HANDED_DOWN, delegated, prepared
from agent_rl.tools.sandbox.local.groups import Groups, groups

TESTS = Path(__file__).parent
LIMITS = Limits(memory_mb=96, disk_mb=8, seconds=30)
MOST_MB = LIMITS.memory_mb + LIMITS.disk_mb + 1
TOGETHER = """
import os, time
reading, writing = os.pipe()
for _ in range(6):
    if not os.fork():
        os.close(writing)
        os.read(reading, 1)  # until all are there
        more = bytearray(50 << 20)
        time.sleep(60)
os.close(writing)
time.sleep(60)
"""
HOLD = "import os, sys; os.write(int(sys.argv[1]), b'0'); held = bytearray(int(sys.argv[2]) << 20)"
ABANDON = """
import sys, time
from agent_rl.tools.sandbox.base import Limits
from agent_rl.tools.sandbox.local.groups import Groups
groups = Groups(sys.argv[1])
group = groups.make(Limits(), 1)
print(flush=True)
time.sleep(60)
"""
FAILED = Result(Status.ERROR, 1, peak_memory_mb=1.0)


@pytest.fixture
def parent() -> Iterator[str]:
    """A cgroup of the test's own below what is delegated here; at its end nothing is left in it."""
    there = delegated()
    if not there:
        pytest.skip("no cgroup is delegated to these tests")
    folder = f"{there[0]}/test-{os.getpid()}"
    os.mkdir(folder)
    yield folder
    left = below(folder)
    for name in left:
        shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
    os.rmdir(folder)
    assert left == []


def below(folder: str) -> list[str]:
    return [entry.name for entry in os.scandir(folder) if entry.is_dir()]


def ran(cgroup: str, *programs: Program) -> list[Result]:
    """Run programs one after the other."""

    async def all_of_them() -> list[Result]:
        sandbox = LocalSandbox(LocalSettings(cgroup=cgroup))
        try:
            return [await sandbox.run(program) for program in programs]
        finally:
            await sandbox.close()

    return asyncio.run(all_of_them())


def held_in(group: Group, memory_mb: int) -> int:
    """Return the exit code of a process that puts itself into a cgroup and holds memory."""
    joining = group.descriptors[1]
    command = [sys.executable, "-S", "-c", HOLD, str(joining), str(memory_mb)]
    return subprocess.run(command, pass_fds=[joining]).returncode


def closed(group: Group) -> None:
    async def close() -> None:
        group.close()

    asyncio.run(close())


def test_processes_that_exceed_the_limit_together_are_bounded_and_honest_runs_follow(
    parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_run, "ended_for_memory", itertools.count().__next__)  # others are ended all the time
    programs = [Program(TOGETHER, limits=LIMITS), Program("raise SystemExit(3)"), *[Program("print(6 * 7)")] * 20]
    first, failed, *honest = ran(parent, *programs)

    assert (first.status, failed.status) == (Status.MEMORY_LIMIT, Status.ERROR)
    assert first.peak_memory_mb is not None and first.peak_memory_mb <= MOST_MB
    assert [(result.status, result.stdout) for result in honest] == [(Status.FINISHED, "42\n")] * 20


def test_a_session_is_bounded_with_all_that_it_keeps(parent: str) -> None:
    async def go() -> list[Result]:
        sandbox = LocalSandbox(LocalSettings(cgroup=parent))
        session = await sandbox.session(LIMITS)
        try:
            cells = ("held = bytearray(40 << 20); len(held) >> 20", TOGETHER, "'held' in globals()")
            return [await session.run(cell) for cell in cells]
        finally:
            await session.close()
            await sandbox.close()

    kept, together, anew = asyncio.run(go())
    assert (kept.status, kept.stdout) == (Status.FINISHED, "40\n")
    assert kept.peak_memory_mb is not None and 40 < kept.peak_memory_mb < MOST_MB
    assert together.peak_memory_mb is not None and together.peak_memory_mb <= MOST_MB
    assert together.status in (Status.MEMORY_LIMIT, Status.ERROR)  # the watch may be first, and its account late
    assert anew.stdout == "False\n" and "began anew" in anew.message


def test_who_is_ended_for_the_limit_of_the_run_has_met_its_own(parent: str) -> None:
    group = Group(f"{parent}/run", prepared(parent), 48)
    assert held_in(group, 16) == 0
    assert (group.ended(), group.judged(FAILED).status) == (Ended.NONE, Status.ERROR)

    assert held_in(group, 64) == -signal.SIGKILL
    closed(group)
    assert group.ended() is Ended.LIMIT
    assert group.judged(FAILED).status is Status.MEMORY_LIMIT
    peak = group.peak_mb()
    assert peak is not None and 47 < peak <= 48


def test_who_is_ended_for_want_of_memory_above_has_met_the_machine(parent: str) -> None:
    version = prepared(parent)
    local_cgroup.write(f"{parent}/{version.limit}", 48 << 20)
    group = Group(f"{parent}/run", version, 512)
    assert held_in(group, 64) == -signal.SIGKILL
    closed(group)
    assert group.ended() is Ended.MACHINE
    assert group.judged(FAILED).status is Status.INFRASTRUCTURE
    assert group.judged(Result(Status.FINISHED, 0)).status is Status.FINISHED


def test_what_still_runs_in_a_cgroup_is_killed_before_it_is_removed(parent: str) -> None:
    version = prepared(parent)
    group = Group(f"{parent}/run", version, 64)
    join = ["/bin/sh", "-c", f"echo 0 > {parent}/run/{version.join}; echo; exec sleep 60"]
    with subprocess.Popen(join, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        async def close() -> None:
            group.close()
            while os.path.exists(f"{parent}/run"):
                await asyncio.sleep(0.01)

        asyncio.run(close())
        assert process.wait() == -signal.SIGKILL


def test_what_a_killed_process_has_left_the_next_removes_and_nothing_of_one_that_lives(parent: str) -> None:
    command = [sys.executable, "-c", ABANDON, parent]
    with (
        subprocess.Popen(command, cwd=TESTS.parents[2], stdout=subprocess.PIPE) as dead,
        subprocess.Popen(command, cwd=TESTS.parents[2], stdout=subprocess.PIPE) as alive,
    ):
        for process in (dead, alive):
            assert process.stdout is not None
            process.stdout.readline()
        dead.kill()
        dead.wait()
        assert len(below(parent)) == 2

        next_one = Groups(parent)
        assert sorted(name.split("-")[1] for name in below(parent)) == sorted([str(alive.pid), str(os.getpid())])
        alive.kill()
        alive.wait()
        next_one.close()
        Groups(parent).close()
        assert below(parent) == []


def test_a_forked_child_does_not_remove_what_its_parent_uses(parent: str) -> None:
    made = Groups(parent)
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            made.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(below(parent)) == 1
    made.close()


def test_the_second_version_moves_kills_and_removes_on_a_hierarchy_without_controllers() -> None:
    top = "/sys/fs/cgroup/unified"
    if not os.access(f"{top}/cgroup.procs", os.W_OK):
        pytest.skip(f"{top} is not there, or not this user's")
    folder = f"{top}/test-{os.getpid()}"
    os.mkdir(folder)
    join = ["/bin/sh", "-c", f"echo 0 > {folder}/{V2.join}; echo; sleep 60"]
    with subprocess.Popen(join, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert str(process.pid) in Path(folder, "cgroup.procs").read_text().split()
        while not removed(folder):
            time.sleep(0.01)
        assert process.wait() == -signal.SIGKILL


def test_the_second_version_is_set_and_read_by_its_names_in_a_folder_of_plain_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    files = {V2.limit: "max", V2.swap: "max", "memory.oom.group": "0", V2.join: "", V2.peak: "0"}
    events = "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"

    def furnished(path: str, make: Callable[[str], None] = os.mkdir) -> None:
        make(path)
        for name, text in (files | {V2.kills: events}).items():
            Path(path, name).write_text(text)

    monkeypatch.setattr(os, "mkdir", furnished)
    group = Group(str(folder), V2, 8)
    assert [(folder / name).read_text()[:7] for name in (V2.limit, V2.swap, "memory.oom.group")] == [
        str(8 << 20),
        "0ax",  # a plain file keeps the rest
        "1",
    ]
    assert (group.ended(), group.peak_mb()) == (Ended.NONE, None)
    (folder / V2.peak).write_text(f"{3 << 20}\n")
    (folder / V2.kills).write_text(events.replace("oom_kill 0", "oom_kill 2"))
    assert (group.ended(), group.peak_mb()) == (Ended.MACHINE, 3.0)
    (folder / V2.kills).write_text(events.replace("oom_kill 0", "oom_kill 2").replace("oom 0", "oom 1"))
    assert group.ended() is Ended.LIMIT
    for descriptor in group.descriptors:
        os.close(descriptor)


def test_a_cgroup_that_cannot_be_used_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cgroup that can bound memory"):
        ran(str(tmp_path), Program("print(1)"))
    for name, text in {HANDED_DOWN: "", "cgroup.controllers": "cpu pids\n"}.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match="lacks the controller 'memory'"):
        Groups(str(tmp_path))


@pytest.mark.parametrize(
    ("above", "handed_down", "usable"),
    [("run.scope", "cpu memory", True), ("run.scope", "cpu", False), ("app.slice", "cpu memory", False)],
)
def test_the_one_above_is_delegated_if_it_hands_memory_down_and_is_not_systemds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, above: str, handed_down: str, usable: bool
) -> None:
    (tmp_path / above).mkdir()
    (tmp_path / above / HANDED_DOWN).write_text(handed_down)
    monkeypatch.setattr(local_delegated, "_own", lambda: [(V2, str(tmp_path), f"/{above}/main")])
    monkeypatch.setattr(local_delegated, "_is_ours", lambda folder, mounted: True)
    assert delegated() == [str(tmp_path / above)] * usable


def test_none_asks_for_no_cgroup() -> None:
    assert groups("none") is None


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody else")
def test_an_ordinary_user_without_a_cgroup_has_what_there_was_before(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    code = f"""
import asyncio
from agent_rl.tools.sandbox.base import Limits, Program
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
async def go():
    sandbox = LocalSandbox(LocalSettings(cgroup="auto"))
    for code in ({TOGETHER!r}, "print(1)"):
        result = await sandbox.run(Program(code, limits=Limits(memory_mb=96, disk_mb=8)))
        print(result.status, sandbox._groups)
    await sandbox.close()
asyncio.run(go())
"""
    command = [sys.executable, str(TESTS / "as_somebody.py"), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=TESTS.parents[2], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["memory_limit None", "finished None"], done.stderr
