"""The local sandbox: programs in processes of this machine that are forked for them and kept apart from it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent_rl.core.context import current
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.threads import service_loop
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session, Status
from agent_rl.tools.sandbox.languages import LANGUAGES, Language, installed
from agent_rl.tools.sandbox.local.cgroup import Group
from agent_rl.tools.sandbox.local.client import ForkServer, ServerGoneError, Start
from agent_rl.tools.sandbox.local.forked import wire
from agent_rl.tools.sandbox.local.groups import Groups, groups
from agent_rl.tools.sandbox.local.ladder import strongest
from agent_rl.tools.sandbox.local.run import given_mb, run_once
from agent_rl.tools.sandbox.local.session import Family, Interpreter, LocalSession
from agent_rl.tools.sandbox.local.settings import LocalSettings, Tier
from agent_rl.tools.sandbox.paths import check

_PLAIN = Start(("collections", "functools", "heapq", "itertools", "json", "math", "random", "re", "string", "typing"))
_SCIENTIFIC = Start((*_PLAIN.preload, "numpy", "numpy.random", "numpy.linalg", "sympy"))
_IMPORTS_SCIENTIFIC = re.compile(rb"^\s*(?:import|from)\s[^#\n]*\b(?:numpy|sympy|scipy|pandas)\b", re.MULTILINE)
_COMPILING = Limits(memory_mb=2048, disk_mb=512, processes=128)


@dataclass(frozen=True)
class _Job:
    """What a fork server is to run."""

    start: Start
    files: Mapping[str, bytes]
    limits: Limits
    command: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    addresses: int = 1
    session: bool = False

    def request(self) -> bytes:
        """Return it as `forked.job` reads it."""
        header = {
            "files": [(path, len(content)) for path, content in self.files.items()],
            "command": self.command,
            "fetch": self.fetch,
            "session": self.session,
        }
        return wire.packed(header, self.files.values())


class LocalSandbox:
    """Runs programs on this machine. Used from any loop and thread; the work is done on the service loop."""

    def __init__(self, settings: LocalSettings | None = None) -> None:
        """Start nothing yet: fork servers begin when something is run."""
        self.settings = settings or LocalSettings()
        self.languages: tuple[str, ...] = ("python", *installed())
        self._places = asyncio.Semaphore(self.settings.concurrency)
        self._starting = asyncio.Lock()
        self._servers: dict[Start, ForkServer] = {}
        self._tier: Tier | None = None
        self._groups: Groups | None = None

    async def run(self, program: Program, stdin: str = "") -> Result:
        """Run a program once; see `Sandbox`."""
        (result,) = await self.run_each(program, [stdin])
        return result

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        """Run a program once for each input; see `Sandbox`."""
        if program.language not in self.languages:
            hint = nearest(program.language, self.languages)
            can = ", ".join(self.languages)
            raise UserError(f"the local sandbox cannot run '{program.language}' here{hint}: it can run {can}")
        check(program.files, program.fetch)
        return await service_loop().call(self._run_each(program, inputs))

    async def session(self, limits: Limits | None = None) -> Session:
        """Begin a Python session; see `Sandbox`."""
        return LocalSession(limits or Limits(), self._interpreter, self._places)

    async def close(self) -> None:
        """End the fork servers and all that they run; harmless twice."""
        if self._servers or self._groups:
            await service_loop().call(self._close())

    async def _close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self._tier = None
        if self._groups:
            self._groups.close()
            self._groups = None

    async def _run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        job = _python(program)
        if program.language != "python":
            language = LANGUAGES[program.language]
            job = _other(program, language)
            if language.compile:
                compiled = await self._in_place(_compiling(program, language), "")
                if language.made not in compiled.files:
                    return [_not_compiled(compiled)] * len(inputs)
                job = replace(job, files={**program.files, language.made: compiled.files[language.made]})
        return list(await asyncio.gather(*(self._in_place(job, stdin) for stdin in inputs)))

    async def _in_place(self, job: _Job, stdin: str) -> Result:
        """Run something once, when there is a place for it."""
        with current().excuse.queueing():
            await self._places.acquire()
        try:
            server, request = await self._server(job.start), job.request()
            group = self._group(job.limits, request)
            return await run_once(
                server, request, job.limits, stdin.encode(errors="surrogatepass"), job.addresses, group
            )
        except (ServerGoneError, OSError) as error:
            return Result(Status.INFRASTRUCTURE, tier=self._tier or "", message=str(error))
        finally:
            self._places.release()

    async def _interpreter(self, limits: Limits, code: str) -> Interpreter:
        """Begin the interpreter of a session, with what its first cell imports."""
        job = replace(_python(Program(code, limits=limits)), files={}, session=True)
        server, request = await self._server(job.start), job.request()
        return await Family(server, limits, self._group(limits, request)).begin(request)

    def _group(self, limits: Limits, request: bytes) -> Group | None:
        """Make the cgroup of a run, where runs have one."""
        return self._groups.make(limits, given_mb(request)) if self._groups else None

    async def _server(self, start: Start) -> ForkServer:
        """Return the fork server that was started so, anew where it has ended."""
        async with self._starting:
            if self._tier is None:
                self._groups = self._groups or groups(self.settings.cgroup)
                self._tier, self._servers[_PLAIN] = await strongest(self.settings.weakest, _PLAIN)
            server = self._servers.get(start)
            if server is None or server.gone:
                server = self._servers[start] = await ForkServer.start(self._tier, start)
            return server


def _python(program: Program) -> _Job:
    files = {**program.files, "main.py": _source(program)}
    scientific = any(_IMPORTS_SCIENTIFIC.search(text) for path, text in files.items() if path.endswith(".py"))
    return _Job(_SCIENTIFIC if scientific else _PLAIN, files, program.limits, fetch=program.fetch)


def _other(program: Program, language: Language) -> _Job:
    files = {**program.files, language.file: _source(program)}
    command = tuple(part.format(memory=program.limits.memory_mb) for part in language.run)
    return _Job(Start((), language.roots()), files, program.limits, command, program.fetch, language.addresses)


def _compiling(program: Program, language: Language) -> _Job:
    limits = _COMPILING.model_copy(
        update={"seconds": program.limits.compile_seconds, "output_kb": program.limits.output_kb}
    )
    job = _other(program, language)
    return replace(job, limits=limits, command=language.compile, fetch=(language.made,), addresses=0)


def _not_compiled(result: Result) -> Result:
    """Return the result of every run of a program that could not be compiled."""
    status = Status.ERROR if result.status is Status.FINISHED else result.status
    return replace(result, status=status, stage="compile", files={})


def _source(program: Program) -> bytes:
    return program.code.encode(errors="surrogatepass")
