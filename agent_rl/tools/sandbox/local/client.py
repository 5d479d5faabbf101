"""The fork server, as the process that started it sees it."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_rl.tools.sandbox.local.settings import Tier

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from forked.at_fork import put_off; put_off(); "
    "from forked.server import main; main()"
)
_FOLDER = str(Path(__file__).parent)
_OPTIONS = ("-SsPB", "-X", "utf8")
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of sets is the same in every run
    "MALLOC_ARENA_MAX": "2",  # each thread would reserve addresses for memory of its own, of which there are few
    "LD_BIND_NOW": "1",  # functions are looked up once, not in every process
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_STARTING = 60.0  # seconds
_ENDING = 5.0  # seconds that it has to end what it runs
_RETRY = 0.005  # seconds until a message is sent again for which there was no room
_MOST_BYTES = 65536


@dataclass(frozen=True)
class Start:
    """What a fork server has at hand for its runs.

    Attributes:
        preload: Modules that it imports, where they are installed.
        roots: Folders that programs may read beside Python's and the system's.
    """

    preload: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """Return what programs find in their environment, but for the names of the scratch folder."""
        folders = [f"{root}/bin" for root in self.roots]
        return {
            "PATH": ":".join([*folders, os.path.dirname(sys.executable), "/usr/local/bin:/usr/bin:/bin"]),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "MALLOC_ARENA_MAX": _ENVIRONMENT["MALLOC_ARENA_MAX"],
        }


class ServerGoneError(Exception):
    """The fork server does not answer any more, or could not be started."""


class ForkServer:
    """One fork server. Lives on one event loop."""

    def __init__(self, tier: Tier, process: "subprocess.Popen[bytes]", channel: socket.socket, errors: Any) -> None:
        """Speak with a process that has just been started."""
        self.tier = tier
        self._process, self._channel, self._errors = process, channel, errors
        self._names = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._scratch = tempfile.mkdtemp(prefix="agent_rl-sandbox-") if tier is not Tier.NAMESPACES else ""
        self.gone = False

    @classmethod
    async def start(cls, tier: Tier, start: Start) -> "ForkServer":
        """Start one.

        Raises:
            ServerGoneError: It could not be started; the text says why.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the server
            command = [sys.executable, *_OPTIONS, "-c", _START, _FOLDER, str(theirs.fileno())]
            process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        server = cls(tier, process, ours, errors)
        ours.setblocking(False)
        first: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        server._answers[0] = first
        asyncio.get_running_loop().add_reader(ours.fileno(), server._read)
        try:
            paths = {
                "path": _import_path(),
                "readable": _harmless([*_readable(), *start.roots]),
                "scratch": server._scratch,
            }
            await server._send({"tier": tier, "preload": start.preload, "environment": start.environment(), **paths})
            started = await asyncio.wait_for(first, _STARTING)
        except TimeoutError as error:
            server.close()
            raise ServerGoneError(f"it did not start within {_STARTING:g} s") from error
        except BaseException:
            server.close()
            raise
        if "failed" in started:
            server.close()
            raise ServerGoneError(started["failed"])
        return server

    def begin(self) -> tuple[int, "asyncio.Future[dict[str, Any]]"]:
        """Return a name for a run, and what will hold the server's account of it."""
        name = next(self._names)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody may have left
        self._answers[name] = future
        return name, future

    async def run(self, name: int, order: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Let it fork a process.

        Raises:
            ServerGoneError: It has ended.
        """
        await self._send({"do": "run", "run": name, **order}, descriptors)

    def tell(self, name: int, what: str, *descriptors: int) -> None:
        """Let it do something to a run; nothing happens when that has ended already.

        Args:
            name: The run's.
            what: `kill` it, `stop` all its processes, let them `go_on`, or `end` the interpreter that comes along.
            descriptors: What comes along: a pidfd.
        """
        if not self.gone:
            with contextlib.suppress(OSError):
                socket.send_fds(self._channel, [json.dumps({"do": what, "run": name}).encode()], descriptors)

    def close(self) -> None:
        """End it and all that it runs; harmless twice."""
        if self.gone:
            return
        self.gone = True
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        self._channel.close()
        self._process.terminate()
        try:
            self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)  # where the server was killed before it could
        reason = self._last_words()
        self._errors.close()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ServerGoneError(reason))
        self._answers.clear()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the fork server has ended{': ' + lines[-1] if lines else ''}"

    async def _send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        data = json.dumps(message).encode()
        while True:
            if self.gone:
                raise ServerGoneError("the fork server has ended")
            try:
                socket.send_fds(self._channel, [data], descriptors)
                return
            except BlockingIOError:
                await asyncio.sleep(_RETRY)
            except OSError as error:
                self.close()
                raise ServerGoneError(f"the fork server has ended: {error}") from error

    def _read(self) -> None:
        """Read what it says; the end of its socket is its own."""
        try:
            data = self._channel.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        message = json.loads(data)
        future = self._answers.pop(message.get("run", 0), None)
        if future is not None and not future.done():
            future.set_result(message)


def _import_path() -> list[str]:
    """Return where programs import from: the standard library and what is installed, without start-up hooks."""
    library = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sysconfig.get_config_var("DESTSHARED")]
    installed = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return list(dict.fromkeys(path for path in (*library, *installed) if path and os.path.isdir(path)))


def _readable() -> list[str]:
    """Return the folders of this interpreter and of what is installed for it."""
    return sorted({os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix, *_import_path()})


def _harmless(folders: Iterable[str]) -> list[str]:
    """Return the folders that do not contain the user's own."""
    home = os.path.join(os.path.realpath(Path.home()), "")
    return [folder for folder in folders if not home.startswith(os.path.join(os.path.realpath(folder), ""))]
