"""`agent-rl` in processes of their own, forked from one that has imported everything: seconds saved at each start."""

import atexit
import multiprocessing
import os
import signal
import sys
import tempfile
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import TimeoutExpired

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    ["agent_rl.cli.main", "agent_rl.cli.train", "agent_rl.trainer.run", "matplotlib.figure"]
)


class Command:
    """A running `agent-rl WORDS`, with the methods of `subprocess.Popen` that tests want."""

    def __init__(self, *words: str, merged: bool = False) -> None:
        """Start it; `merged` lets its errors go to its output."""
        self._folder = tempfile.TemporaryDirectory(prefix="agent_rl_command_")
        self._output, self._errors = (Path(self._folder.name) / name for name in ("output", "errors"))
        errors = self._output if merged else self._errors
        given = (words, str(self._output), str(errors), dict(os.environ), os.getcwd())
        self._process: ForkServerProcess = _FORKING.Process(target=_run, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired("agent-rl", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self._process.exitcode is None:
            self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end and return what it wrote to its output and to its errors."""
        self.wait(timeout)
        return tuple(file.read_text() if file.exists() else "" for file in (self._output, self._errors))  # type: ignore[return-value]


def _run(words: tuple[str, ...], output: str, errors: str, environment: dict[str, str], folder: str) -> None:
    """Be the command: streams, environment and folder as of a program that a shell has started, and its exit status."""
    for number, path in ((1, output), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False, buffering=1) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["agent-rl", *words]
    from agent_rl.cli.main import main

    status = 1
    try:
        status = main(words)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
