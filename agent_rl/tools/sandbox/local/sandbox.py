"""The local sandbox: programs in processes of this machine that are forked for them and kept apart from it."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from agent_rl.core.context import current
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.threads import service_loop
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session, Status
from agent_rl.tools.sandbox.local.client import ForkServer, ServerGoneError
from agent_rl.tools.sandbox.local.forked import wire
from agent_rl.tools.sandbox.local.settings import LocalSettings, Tier
from agent_rl.tools.sandbox.local.streams import Output

_MAIN = "main.py"
_GRACE = 10.0  # seconds beyond a run's own after which its fork server is given up
_PLAIN = ("collections", "functools", "heapq", "itertools", "json", "math", "random", "re", "string", "typing")
_SCIENTIFIC = ("numpy", "sympy")
_IMPORTS_SCIENTIFIC = re.compile(rb"^\s*(?:import|from)\s[^#\n]*\b(?:numpy|sympy|scipy|pandas)\b", re.MULTILINE)
_ENVIRONMENT = {
    "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/scratch",
    "TMPDIR": "/scratch",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class LocalSandbox:
    """Runs programs on this machine. Used from any loop and thread; the work is done on the service loop."""

    languages: tuple[str, ...] = ("python",)

    def __init__(self, settings: LocalSettings | None = None) -> None:
        """Start nothing yet: fork servers begin when something is run."""
        self.settings = settings or LocalSettings()
        self._places: asyncio.Semaphore | None = None
        self._starting: dict[tuple[str, ...], asyncio.Lock] = {}
        self._servers: dict[tuple[str, ...], ForkServer] = {}

    async def run(self, program: Program, stdin: str = "") -> Result:
        """Run a program once; see `Sandbox`."""
        (result,) = await self.run_each(program, [stdin])
        return result

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        """Run a program once for each input; see `Sandbox`."""
        if program.language not in self.languages:
            raise UserError(
                f"the local sandbox cannot run '{program.language}' here{nearest(program.language, self.languages)}: "
                f"it can run {', '.join(self.languages)}"
            )
        for path in (*program.files, *program.fetch):
            _check(path)
        return await service_loop().call(self._run_each(program, inputs))

    async def session(self, limits: Limits | None = None) -> Session:
        """Begin a Python session; see `Sandbox`."""
        raise UserError("the local sandbox has no sessions yet")

    async def close(self) -> None:
        """End the fork servers and all that they run; harmless twice."""
        if self._servers:
            await service_loop().call(self._close())

    async def _close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    async def _run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        files = {**program.files, _MAIN: program.code.encode(errors="surrogatepass")}
        request = wire.packed(
            {
                "files": [(path, len(content)) for path, content in files.items()],
                "command": [],
                "environment": _ENVIRONMENT,
                "fetch": list(program.fetch),
            },
            files.values(),
        )
        scientific = any(_IMPORTS_SCIENTIFIC.search(text) for path, text in files.items() if path.endswith(".py"))
        modules = _PLAIN + _SCIENTIFIC if scientific else _PLAIN
        runs = (self._in_place(modules, request, program.limits, stdin) for stdin in inputs)
        return list(await asyncio.gather(*runs))

    async def _in_place(self, modules: tuple[str, ...], request: bytes, limits: Limits, stdin: str) -> Result:
        """Run it once, when there is a place for it."""
        if self._places is None:
            self._places = asyncio.Semaphore(self.settings.concurrency)
        with current().excuse.queueing():
            await self._places.acquire()
        try:
            server = await self._server(modules)
            return await _run(server, request, limits, stdin.encode(errors="surrogatepass"))
        except (ServerGoneError, OSError) as error:
            return Result(Status.INFRASTRUCTURE, tier=Tier.NAMESPACES, message=str(error))
        finally:
            self._places.release()

    async def _server(self, modules: tuple[str, ...]) -> ForkServer:
        """Return the fork server that has imported `modules`, started anew where it has ended."""
        async with self._starting.setdefault(modules, asyncio.Lock()):
            server = self._servers.get(modules)
            if server is None or server.gone:
                server = self._servers[modules] = await ForkServer.start(Tier.NAMESPACES, modules)
            return server


async def _run(server: ForkServer, request: bytes, limits: Limits, stdin: bytes) -> Result:
    """Let a fork server run something once, and return what became of it."""
    name, answer = server.begin()

    def stop() -> None:
        server.kill(name)

    with ExitStack() as stack:
        streams = [
            Output(most, stop) for most in (limits.output_kb << 10, limits.output_kb << 10, 2 * limits.disk_mb << 20)
        ]
        for stream in streams:
            stack.callback(stream.finish)
        with ExitStack() as handed:
            descriptors = [_file(request), _file(stdin), *(stream.writing for stream in streams)]
            for descriptor in descriptors:
                handed.callback(os.close, descriptor)
            await server.run(name, _order(limits), descriptors)
        try:
            account = await asyncio.wait_for(answer, limits.seconds + _GRACE)
        except TimeoutError:
            server.close()
            raise ServerGoneError("the fork server did not answer") from None
        except asyncio.CancelledError:
            stop()
            raise
        for stream in streams:
            stream.finish()
        return _result(account, *streams)


def _order(limits: Limits) -> dict[str, Any]:
    return {
        "seconds": limits.seconds,
        "memory_mb": limits.memory_mb,
        "address_space_mb": limits.memory_mb,
        "disk_mb": limits.disk_mb,
        "processes": limits.processes,
    }


def _result(account: Mapping[str, Any], stdout: Output, stderr: Output, report: Output) -> Result:
    if "failed" in account:
        return Result(Status.INFRASTRUCTURE, tier=Tier.NAMESPACES, message=account["failed"])
    seen: dict[str, Any] = {
        "stdout": stdout.content.decode(errors="replace"),
        "stderr": stderr.content.decode(errors="replace"),
        "seconds": account["seconds"],
        "peak_memory_mb": account["peak_kb"] / 1024,
        "tier": Tier.NAMESPACES,
    }
    if stdout.over or stderr.over:
        return Result(Status.OUTPUT_LIMIT, **seen)
    if account["killed"] in ("time", "memory"):
        return Result(Status.TIME_LIMIT if account["killed"] == "time" else Status.MEMORY_LIMIT, **seen)
    try:
        told, contents = wire.unpacked(report.content)
    except ValueError:
        told, contents = {"failed": "the process that watched over the program was killed"}, b""
    if "failed" in told:
        return Result(Status.INFRASTRUCTURE, **seen, message=told["failed"])
    files, start = {}, 0
    for path, size in told["files"]:
        files[path] = contents[start : start + size]
        start += size
    status = Status.FINISHED if told["exit"] == 0 else Status.ERROR
    if status is Status.ERROR and seen["stderr"].rstrip().endswith("MemoryError"):
        status = Status.MEMORY_LIMIT
    return Result(status, told["exit"], **seen, files=files)


def _file(content: bytes) -> int:
    """Return a descriptor from which `content` can be read."""
    descriptor = os.memfd_create("agent_rl", os.MFD_CLOEXEC)
    wire.write_all(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _check(path: str) -> None:
    """Refuse a path that is not relative, or leaves the working folder.

    Raises:
        UserError: It is such a path.
    """
    if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise UserError(f"'{path}' is no relative path of a file in the working folder")
