"""What is made of kernels that offer less, and of users without rights: real ones, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TRY = """
import asyncio, json, sys
sys.path.insert(0, {tests!r})
import lesser_kernel
lesser_kernel.without(*{closed})
from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings

async def main():
    sandbox = LocalSandbox(LocalSettings(weakest={weakest!r}))
    try:
        for code in {codes}:
            result = await sandbox.run(Program(code, limits=Limits(seconds=2)))
            print(json.dumps([result.tier, result.status, result.stdout, result.stderr, result.message]))
    except UserError as error:
        print(json.dumps(["refused", str(error)]))
    finally:
        await sandbox.close()

asyncio.run(main())
"""


def tried(tmp_path: Path, weakest: str, closed: str, *codes: str, command: tuple[str, ...] = ()) -> list[list[str]]:
    """Return what becomes of programs where the system calls `closed` are, and what lies about afterwards."""
    script = TRY.format(tests=str(TESTS), closed=f"[{closed}]", weakest=weakest, codes=list(codes))
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(TESTS.parents[2])}
    ran = subprocess.run([*command, sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert list(tmp_path.iterdir()) == []
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_weaker_isolation_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    ((kind, text),) = tried(tmp_path, "namespaces", "lesser_kernel.UNSHARE", "print(1)")
    assert kind == "refused"
    assert text == (
        "programs cannot be isolated on this machine (namespaces: PermissionError: [Errno 1] unshare: Operation not "
        "permitted); allow less with sandbox.weakest=landlock"
    )
    ((kind, text),) = tried(tmp_path, "landlock", "lesser_kernel.UNSHARE, lesser_kernel.LANDLOCK", "print(1)")
    assert kind == "refused"
    missing = "landlock: OSError: the kernel offers no Landlock (Linux 5.13)"
    assert text.endswith(f"{missing}); allow less with sandbox.weakest=unsafe")


def test_the_strongest_that_works_is_taken(tmp_path: Path) -> None:
    assert [line[:3] for line in tried(tmp_path, "unsafe", "", "print(1)")] == [["namespaces", "finished", "1\n"]]


@pytest.mark.slow
def test_landlock_alone_keeps_files_network_processes_and_time(tmp_path: Path) -> None:
    secret = tmp_path.with_name("secret")
    secret.write_text("hunter2")
    lines = tried(
        tmp_path,
        "landlock",
        "lesser_kernel.UNSHARE",
        "open('a', 'w').write('mine'); print(open('a').read())",
        f"print(open({str(secret)!r}).read())",
        f"open({str(secret)!r}, 'w')",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import os; os.kill(os.getppid(), 9)",
        f"import os; os.kill({os.getpid()}, 0)",
        "open('/proc/self/environ').read()",
        "import os, time\nwhile True:\n    if os.fork(): time.sleep(60)",
        "import os, time\nfor _ in range(3):\n    if not os.fork(): os.setsid()\ntime.sleep(60)",
        "import os; os.mkdir('b'); os.chmod('.', 0)",
        "x = bytearray(2 << 30)",
        "import os; e = os.environ; print({e['HOME'], e['TMPDIR'], os.path.dirname(os.getcwd())})",
    )
    assert {line[0] for line in lines} == {"landlock"}
    assert [line[1] for line in lines[:7]] == ["finished", *["error"] * 6]
    assert all("PermissionError" in line[3] for line in lines[1:7])
    assert [line[1] for line in lines[7:]] == ["error", "time_limit", "finished", "memory_limit", "finished"]
    assert secret.read_text() == "hunter2"
    assert "," not in lines[-1][2]  # all three are the run's own folder


@pytest.mark.slow
def test_without_anything_limits_hold(tmp_path: Path) -> None:
    closed = "lesser_kernel.UNSHARE, lesser_kernel.LANDLOCK"
    code = "import os, time\nif not os.fork(): os.setsid()\ntime.sleep(60)"
    lines = tried(tmp_path, "unsafe", closed, code, "print('x' * (1 << 20))", "print(1)")
    assert {line[0] for line in lines} == {"unsafe"}
    assert [line[1] for line in lines] == ["time_limit", "output_limit", "finished"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody else")
@pytest.mark.parametrize(("weakest", "closed"), [("namespaces", ""), ("landlock", "lesser_kernel.UNSHARE")])
def test_an_ordinary_user_has_the_same(tmp_path: Path, weakest: str, closed: str) -> None:
    os.chown(tmp_path, 12345, 12345)
    codes = (
        "import os; print(os.getuid() not in (0, 12345), len(os.listdir('/scratch')))",
        "print(1)",
        "import os\nwhile True: os.fork()",
        f"open({str(tmp_path)!r} + '/x', 'w')",
    )
    lines = tried(tmp_path, weakest, closed, *codes, command=(sys.executable, str(TESTS / "as_somebody.py")))
    assert {line[0] for line in lines} == {weakest}
    assert [line[1] for line in lines[1:]] == ["finished", "error", "error"]
    if weakest == "namespaces":
        assert lines[0][2] == "True 1\n"
