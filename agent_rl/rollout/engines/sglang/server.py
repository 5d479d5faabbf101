"""A server of ours: started, watched, ended with everything it started."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from agent_rl.clients.sglang import SglangClient
from agent_rl.clients.sglang_answers import SOURCE
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.sglang.settings import SglangSettings

_GUARD = Path(__file__).with_name("guard.py")
_POLL_SECONDS = 0.3
_LAST_LINES = 8


class ServerProcess:
    """One `sglang.launch_server` under a guard that ends it when this process ends, however it ends."""

    def __init__(self, command: list[str], url: str, log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Prepare to run `command`, which is to listen at `url`; its output is appended to `log`.

        `environment` is added to that of this process.
        """
        self._environment = dict(environment or {})
        self.url = url
        self.log = log
        self._command = command
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def pid(self) -> int | None:
        """The guard's process id, which is that of the server's session and process group too; None before `start`."""
        return None if self._guard is None else self._guard.pid

    def start(self) -> None:
        """Start it, again if it has ended."""
        assert not self.alive, "it runs"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self._environment, "SGLANG_RETURN_ORIGINAL_LOGPROB": "0"}  # ours are tempered
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, str(_GUARD), *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    async def wait_ready(self, client: SglangClient, seconds: float) -> None:
        """Return when it takes requests.

        Raises:
            InfrastructureError: It ended, or was not ready within `seconds`; the last lines of its log are in the text.
        """
        until = time.monotonic() + seconds
        while not await client.ready():
            if not self.alive:
                raise InfrastructureError(SOURCE, f"the server {self.url} ended while it started: {self.last_words()}")
            if time.monotonic() > until:
                raise InfrastructureError(
                    SOURCE, f"the server {self.url} was not ready after {seconds:g} s: {self.last_words()}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """End it and all that it started; returns when the guard is gone."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        assert guard.stdin is not None
        with contextlib.suppress(OSError):
            guard.stdin.close()
        until = time.monotonic() + 10
        while guard.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()

    def last_words(self) -> str:
        """Return the last lines of its log, in one line, and where the log is."""
        try:
            text = self.log.read_bytes()[-8192:].decode(errors="replace")
        except OSError as error:
            return f"no log: {error}"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"{' | '.join(lines[-_LAST_LINES:])} (log: {self.log})"


def launch(settings: SglangSettings, number: int, model: str, log: Path, gpus: bool) -> ServerProcess:
    """Return the `number`-th server of this machine, not started yet.

    Args:
        settings: Of the engine.
        number: From 0.
        model: Folder in Hugging Face format, or a name on the hub.
        log: Where its output goes.
        gpus: Whether this machine's servers run on GPUs.
    """
    port = _free_port()
    command = [settings.python, "-m", "sglang.launch_server"]
    command += ["--model-path", model, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--tp-size", str(settings.tensor_parallel)]
    if gpus:
        command += ["--base-gpu-id", str(settings.first_gpu + number * settings.tensor_parallel)]
    else:
        command += ["--device", "cpu", "--attention-backend", "torch_native"]
    if settings.colocated and gpus:
        command += ["--enable-memory-saver", "--enable-weights-cpu-backup"]
    environment = {} if gpus else {"SGLANG_USE_CPU_ENGINE": "1"}
    return ServerProcess([*command, *settings.arguments], f"http://127.0.0.1:{port}", log, environment)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
