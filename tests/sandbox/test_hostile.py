"""Hostile programs: each is contained, classified as its header says, and leaves nothing behind."""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_rl.tools.sandbox.base import Limits, Status
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
from agent_rl.tools.sandbox.local.delegated import delegated
from tests.sandbox.hostile_program import FOLDER, LANGUAGES, every, read
from tests.sandbox.hostile_suite import CGROUP
from tests.sandbox.hostile_traces import held, left, settled
from tests.sandbox.hostile_world import REPOSITORY, VARIABLE, World

_NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
_RUN = {"python": [sys.executable], "bash": ["bash"], "c": ["sh", "-c", 'gcc -o a "$0" && ./a']}
_STILL_THERE, _ANEW = "42\n", ""
_CELLS = {  # what becomes of a cell, and what the next one then shows of the state before
    "import os; os.fork()": (Status.FINISHED, _STILL_THERE),
    "import os, time\nif not os.fork():\n  os.setsid()\n  os.fork() or time.sleep(60)": (Status.FINISHED, _STILL_THERE),
    "import shutil; shutil.rmtree('.', ignore_errors=True)": (Status.FINISHED, _STILL_THERE),
    "import os\nos.kill(1, 2)\nos.kill(1, 15)\nos.kill(os.getppid(), 9)": (Status.FINISHED, _STILL_THERE),
    "import os; os.kill(os.getpid(), 2)": (Status.ERROR, _STILL_THERE),
    "raise SystemExit(0)": (Status.FINISHED, _STILL_THERE),
    "import os; os.closerange(0, 256)": (Status.ERROR, _ANEW),
    "import os; os._exit(0)": (Status.ERROR, _ANEW),
    "import os; os.kill(os.getpid(), 19)": (Status.TIME_LIMIT, _ANEW),
    "class Endless:\n  def __repr__(self):\n    while True: pass\nEndless()": (Status.TIME_LIMIT, _ANEW),
    "import json; json.dumps = lambda message: '[[['": (Status.TIME_LIMIT, _ANEW),
}


def suite(
    folder: Path, python: str = sys.executable, names: Sequence[str] = (), cgroup: str = "none", **process: Any
) -> dict[str, Any]:
    """Run all programs, or those of some files, in a process of its own, with a secret in its environment.

    Return what it tells.
    """
    packages = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    env = os.environ | {VARIABLE: f"SECRET-{secrets.token_hex(16)}", "PYTHONPATH": f"{folder}{os.pathsep}{packages}"}
    env[CGROUP] = cgroup
    command = [python, "-m", "tests.sandbox.hostile_suite", *names]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, **process)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def python_for(user: dict[str, Any]) -> str | None:
    """Return an interpreter of this version that the user may start: ours may lie in somebody's home."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        try:
            subprocess.run([python, "-c", "import ctypes, json"], cwd="/", check=True, capture_output=True, **user)
            return python
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def all_is_well(told: dict[str, Any], names: Sequence[str] = ()) -> None:
    if "refused" in told:
        pytest.skip(told["refused"])
    complaints = [f"{about}: {line}" for about, lines in told["complaints"].items() for line in lines]
    assert not complaints, "\n".join(complaints)
    missing = (set(names) or {hostile.name for hostile in every()}) - set(told["ran"])
    assert not [name for name in missing if not name.endswith((".c", ".cpp"))]  # there may be no compiler


@pytest.fixture
def sandbox() -> Iterator[LocalSandbox]:
    made = LocalSandbox(LocalSettings())
    yield made
    asyncio.run(made.close())


@pytest.fixture
def copy() -> Iterator[Path]:
    """A copy of what the suite needs, readable for everybody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("agent_rl", "tests/sandbox"):
            shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "pyproject.toml", folder)
        yield folder


def test_every_program_says_what_must_become_of_it():
    programs = [read(path) for path in FOLDER.iterdir()]

    assert len(programs) >= 60
    assert {path.suffix for path in FOLDER.iterdir()} == set(LANGUAGES)


@pytest.mark.slow
def test_hostile_programs_are_contained():
    all_is_well(suite(REPOSITORY))


@pytest.mark.slow
@pytest.mark.skipif(not delegated(), reason="no cgroup is delegated to these tests")
def test_hostile_programs_that_ask_for_memory_are_contained_with_a_cgroup_each():
    names = sorted(path.name for path in FOLDER.glob("memory_*"))

    all_is_well(suite(REPOSITORY, names=names, cgroup="auto"), names)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user; the others ran as an ordinary one")
def test_hostile_programs_are_contained_by_an_ordinary_user(copy: Path):
    python = python_for(_NOBODY)
    if python is None:
        pytest.skip("no interpreter of this version that an ordinary user may start")

    all_is_well(suite(copy, python, **_NOBODY))


@pytest.mark.slow
def test_the_attacks_succeed_outside_of_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, f"SECRET-{secrets.token_hex(16)}")
    harmless = [hostile for hostile in every() if hostile.succeeds_outside(os.getuid() == 0)]
    assert len(harmless) > 20
    failed: dict[str, str] = {}
    with World() as world:
        monkeypatch.setenv("HOME", str(world.home))
        for hostile in harmless:
            folder = tmp_path / hostile.name
            folder.mkdir()
            for name, content in world.files().items():
                (folder / name).write_bytes(content)
            command = [*_RUN[hostile.language], str(hostile.path)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
            if "BREACH" not in done.stdout:
                failed[hostile.name] = done.stdout + done.stderr
    assert not failed


def test_hostile_cells_end_no_session_but_their_own(sandbox: LocalSandbox):
    async def one(cell: str) -> tuple[Status, str]:
        session = await sandbox.session(Limits(seconds=10, processes=16))
        await session.run("state = 41")
        first = await session.run(cell, seconds=0.5)
        second = await session.run("state + 1")
        await session.close()
        return first.status, second.stdout

    async def go_through() -> None:
        await one("1")
        before = held()
        assert dict(zip(_CELLS, await asyncio.gather(*map(one, _CELLS)), strict=True)) == _CELLS
        assert await settled(lambda: left(before, held())) == []
        assert await one("1") == (Status.FINISHED, _STILL_THERE)

    asyncio.run(go_through())
