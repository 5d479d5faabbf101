"""The local sandbox: programs in processes of this machine that are forked for them and kept apart from it."""

import asyncio
import os
import re
import sys
from collections.abc import Sequence

from agent_rl.core.context import current
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.threads import service_loop
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session, Status
from agent_rl.tools.sandbox.local.client import ForkServer, ServerGoneError
from agent_rl.tools.sandbox.local.forked import wire
from agent_rl.tools.sandbox.local.ladder import strongest
from agent_rl.tools.sandbox.local.run import run_once
from agent_rl.tools.sandbox.local.settings import LocalSettings, Tier

_MAIN = "main.py"
_PLAIN = ("collections", "functools", "heapq", "itertools", "json", "math", "random", "re", "string", "typing")
_SCIENTIFIC = ("numpy", "sympy")
_IMPORTS_SCIENTIFIC = re.compile(rb"^\s*(?:import|from)\s[^#\n]*\b(?:numpy|sympy|scipy|pandas)\b", re.MULTILINE)
_ENVIRONMENT = {
    "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class LocalSandbox:
    """Runs programs on this machine. Used from any loop and thread; the work is done on the service loop."""

    languages: tuple[str, ...] = ("python",)

    def __init__(self, settings: LocalSettings | None = None) -> None:
        """Start nothing yet: fork servers begin when something is run."""
        self.settings = settings or LocalSettings()
        self._places = asyncio.Semaphore(self.settings.concurrency)
        self._starting = asyncio.Lock()
        self._servers: dict[tuple[str, ...], ForkServer] = {}
        self._tier: Tier | None = None

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
        with current().excuse.queueing():
            await self._places.acquire()
        try:
            server = await self._server(modules)
            return await run_once(server, request, limits, stdin.encode(errors="surrogatepass"))
        except (ServerGoneError, OSError) as error:
            return Result(Status.INFRASTRUCTURE, tier=self._tier or "", message=str(error))
        finally:
            self._places.release()

    async def _server(self, modules: tuple[str, ...]) -> ForkServer:
        """Return the fork server that has imported `modules`, started anew where it has ended."""
        async with self._starting:
            if self._tier is None:
                self._tier, self._servers[_PLAIN] = await strongest(self.settings.weakest, _PLAIN)
            server = self._servers.get(modules)
            if server is None or server.gone:
                server = self._servers[modules] = await ForkServer.start(self._tier, modules)
            return server


def _check(path: str) -> None:
    """Refuse a path that is not relative, or leaves the working folder.

    Raises:
        UserError: It is such a path.
    """
    if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise UserError(f"'{path}' is no relative path of a file in the working folder")
