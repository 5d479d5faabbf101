"""Programs that the local sandbox runs on this machine, with every layer it has."""

import asyncio
import os
import sys
import threading
from typing import Any

import pytest

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.local import LocalSandbox


def ran(sandbox: LocalSandbox, code: str, stdin: str = "", **more: Any) -> Result:
    limits = Limits(**({"seconds": 20.0} | more.pop("limits", {})))
    return asyncio.run(sandbox.run(Program(code, limits=limits, **more), stdin))


def test_a_program_reads_standard_input_and_writes_both_streams(sandbox: LocalSandbox) -> None:
    result = ran(sandbox, "import sys; print(input().upper()); print('warned', file=sys.stderr)", "grüße\n")
    assert (result.status, result.exit_code) == (Status.FINISHED, 0)
    assert (result.stdout, result.stderr, result.tier) == ("GRÜSSE\n", "warned\n", "namespaces")
    assert result.seconds > 0
    assert 1 < (result.peak_memory_mb or 0) < 200


def test_an_error_is_shown_as_an_interpreter_shows_it(sandbox: LocalSandbox) -> None:
    result = ran(sandbox, "def f():\n    return 1 / 0\n\nf()\n")
    assert (result.status, result.exit_code) == (Status.ERROR, 1)
    assert result.stderr.startswith(
        'Traceback (most recent call last):\n  File "main.py", line 4, in <module>\n    f()\n'
    )
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert ran(sandbox, "print(").stderr.endswith("SyntaxError: '(' was never closed\n")


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("exit()", 0),
        ("raise SystemExit('sorry')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("import os; os.abort()", -6),
        ("import os; os._exit(7)", 7),
    ],
)
def test_a_program_ends_with_its_own_exit_code(sandbox: LocalSandbox, code: str, exit_code: int) -> None:
    result = ran(sandbox, code)
    assert result.exit_code == exit_code
    assert result.status is (Status.ERROR if exit_code else Status.FINISHED)


def test_what_a_program_leaves_for_its_end_is_done(sandbox: LocalSandbox) -> None:
    code = "import atexit, threading, time\natexit.register(print, 'last')\n"
    code += "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nprint('first')"
    assert ran(sandbox, code).stdout == "first\nthread\nlast\n"


def test_what_files_hold_that_a_program_has_not_closed_is_written(sandbox: LocalSandbox) -> None:
    code = """
import sys
out = sys.stdout = open(1, "w")
print("first", end=" ")
def write(files=[open("text", "w"), open("bytes", "wb"), open("both", "w+b")]):
    for file in files:
        file.write("ä" if file is files[0] else b"\\xff")
write()
out.write("last")
sys.stdout = sys.__stdout__
"""
    result = ran(sandbox, code, fetch=("text", "bytes", "both"))
    assert (result.stdout, result.stderr) == ("first last", "")
    assert result.files == {"text": "ä".encode(), "bytes": b"\xff", "both": b"\xff"}


def test_files_lie_in_the_working_folder_and_are_fetched(sandbox: LocalSandbox) -> None:
    code = "import os; os.mkdir('out'); open('out/b', 'wb').write(open('in/a', 'rb').read() * 2)\n"
    code += "os.symlink('/etc/passwd', 'c')"
    result = ran(sandbox, code, files={"in/a": b"\0\xff"}, fetch=("out/b", "c", "nowhere"))
    assert result.files == {"out/b": b"\0\xff\0\xff"}


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "", "a//b"])
def test_a_path_that_leaves_the_folder_is_refused(sandbox: LocalSandbox, path: str) -> None:
    with pytest.raises(UserError, match="relative path"):
        ran(sandbox, "", files={path: b""})
    with pytest.raises(UserError, match="relative path"):
        ran(sandbox, "", fetch=(path,))


@pytest.mark.parametrize("path", ["a" * 256, "a/" * 40 + "a", "/".join(["a" * 99] * 20)])
def test_a_path_that_no_folder_holds_is_refused(sandbox: LocalSandbox, path: str) -> None:
    with pytest.raises(UserError, match="too long a path"):
        ran(sandbox, "", files={path: b""})
    with pytest.raises(UserError, match="'a' cannot be a file and, because of 'a/b/c', a folder"):
        ran(sandbox, "", files={"a/b/c": b"", "a": b""})


def test_what_is_given_does_not_count_as_written(sandbox: LocalSandbox) -> None:
    files = {f"folder/{number}": b"" for number in range(600)} | {"big": b"x" * (3 << 20)}
    code = (
        "import os; open('more', 'wb').write(b'x' * 900_000); print(len(os.listdir('folder')), os.path.getsize('big'))"
    )
    result = ran(sandbox, code, files=files, limits={"disk_mb": 1}, fetch=("big",))
    assert result.stdout == f"600 {3 << 20}\n"
    assert result.files == {"big": files["big"]}


def test_memory_that_processes_share_counts_once(sandbox: LocalSandbox) -> None:
    code = "import os, time\nx = bytearray(40 << 20)\nfor _ in range(9):\n    if not os.fork(): break\ntime.sleep(0.5)"
    result = ran(sandbox, code, limits={"memory_mb": 150})
    assert result.status is Status.FINISHED


def test_recursion_may_be_deep(sandbox: LocalSandbox) -> None:
    code = """
import sys
from functools import lru_cache
sys.setrecursionlimit(100_000)
@lru_cache(None)
def count(n): return n and 1 + count(n - 1)
print(count(30_000))
"""
    assert ran(sandbox, code).stdout == "30000\n"
    if "cpp" in sandbox.languages:
        deep = """
#include <cstdio>
#include <cstdlib>
int count(int n) { volatile int at[100]; at[n % 100] = n; return n ? 1 + count(n - 1) + at[n % 100] - n : 0; }
int main(int, char **arguments) { printf("%d\\n", count(100000)); }
"""
        assert ran(sandbox, deep, language="cpp").stdout == "100000\n"


@pytest.mark.parametrize("around", ["{}", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', {!r}])"])
def test_a_program_has_as_many_threads_as_it_may(sandbox: LocalSandbox, around: str) -> None:
    code = """
import threading
everybody = threading.Barrier(21)
for _ in range(20):
    threading.Thread(target=everybody.wait).start()
everybody.wait()
print('all there')
"""
    assert ran(sandbox, around.format(code), limits={"memory_mb": 256}).stdout == "all there\n"


def test_a_language_that_is_not_here_is_one_line(sandbox: LocalSandbox) -> None:
    with pytest.raises(UserError, match="cannot run 'pyton' here, did you mean 'python'"):
        asyncio.run(sandbox.run(Program("", language="pyton")))


@pytest.mark.parametrize(
    ("code", "limits", "status"),
    [
        ("while True: pass", {"seconds": 0.3}, Status.TIME_LIMIT),
        (
            "import os, time\nif os.fork(): time.sleep(60)\nos.setsid()\ntime.sleep(60)",
            {"seconds": 0.3},
            Status.TIME_LIMIT,
        ),
        ("x = bytearray(2 << 30)", {"memory_mb": 100}, Status.MEMORY_LIMIT),
        (
            "import os, time\nfor _ in range(4): os.fork()\nx = bytearray(60 << 20); time.sleep(9)",
            {"memory_mb": 100},
            Status.MEMORY_LIMIT,
        ),
        ("while True: print('x' * 99)", {"output_kb": 1}, Status.OUTPUT_LIMIT),
        ("import sys\nwhile True: print('x' * 99, file=sys.stderr)", {"output_kb": 1}, Status.OUTPUT_LIMIT),
    ],
)
def test_a_limit_ends_a_program(sandbox: LocalSandbox, code: str, limits: dict[str, float], status: Status) -> None:
    result = ran(sandbox, code, limits=limits)
    assert result.status is status
    if status is Status.OUTPUT_LIMIT:
        assert len(result.stdout or result.stderr) == 1024


def test_a_full_disk_is_the_programs_own_error(sandbox: LocalSandbox) -> None:
    code = "for n in range(99):\n    open(str(n), 'wb').write(b'x' * (1 << 20))"
    result = ran(sandbox, code, limits={"disk_mb": 4})
    assert result.status is Status.ERROR
    assert "No space left on device" in result.stderr


def test_nothing_of_the_parent_is_seen(sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    code = (
        "import os\nprint(dict(os.environ), os.getuid(), sorted(int(n) for n in os.listdir('/proc') if n.isdigit()))\n"
    )
    code += f"print(os.path.exists({os.path.abspath(__file__)!r}), os.listdir('/scratch'), os.uname().nodename)"
    first, second = ran(sandbox, code).stdout.splitlines()
    assert "hunter2" not in first
    assert first.endswith("1000 [1, 2]")
    assert second == "False ['work'] sandbox"


@pytest.mark.parametrize("language", ["python", "bash"])
def test_a_program_has_the_standard_descriptors_and_no_others(sandbox: LocalSandbox, language: str) -> None:
    code = "import os\nprint([n for n in range(256) if os.path.lexists(f'/proc/self/fd/{n}')])"
    if language == "bash":
        code = f'exec {sys.executable} -c "{code}"'
    assert ran(sandbox, code, language=language).stdout == "[0, 1, 2]\n"


def test_numpy_and_sympy_are_there_for_programs_that_name_them(sandbox: LocalSandbox) -> None:
    code = "import numpy as np, sympy\nprint(np.arange(4).sum(), sympy.factor('x**2 - 1'))"
    assert ran(sandbox, code).stdout == "6 (x - 1)*(x + 1)\n"


def test_many_threads_with_loops_of_their_own_use_one_sandbox(sandbox: LocalSandbox) -> None:
    seen: list[str] = []

    def work(number: int) -> None:
        seen.append(ran(sandbox, "print(int(input()) ** 2)", str(number)).stdout)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, seen)) == [number**2 for number in range(12)]


def test_a_program_is_run_for_each_input_in_order(sandbox: LocalSandbox) -> None:
    results = asyncio.run(sandbox.run_each(Program("print(input())"), ["a", "b", "c"]))
    assert [result.stdout for result in results] == ["a\n", "b\n", "c\n"]
