"""The sandbox protocol on E2B's API."""

import asyncio
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
from e2b import AsyncSandbox, CommandExitException
from e2b.exceptions import AuthenticationException, NotFoundException, SandboxException

from agent_rl.core.context import current
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import told
from agent_rl.core.threads import service_loop
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session, Status
from agent_rl.tools.sandbox.e2b.settings import E2bSettings
from agent_rl.tools.sandbox.jobs import Job, check_languages, check_program, run_jobs

TIER = "e2b"
_ROOM = "/tmp/agent_rl"
_AROUND_SECONDS = 60.0  # for ordering a machine, and for each file
_LIFE = 120  # seconds that a machine lives beyond its program: it ends by itself when we are gone


class E2bSandbox:
    """Programs run in machines of a hosted service. Used from any loop and thread."""

    def __init__(self, settings: E2bSettings) -> None:
        """Order nothing before the first program.

        Raises:
            UserError: It is to run a language that nobody knows how to.
        """
        check_languages(settings.languages)
        self.languages = settings.languages
        self._settings = settings
        self._places: asyncio.Semaphore | None = None
        self._machines: set[AsyncSandbox] = set()

    async def run(self, program: Program, stdin: str = "") -> Result:
        """Run a program once; see `Sandbox`."""
        (result,) = await self.run_each(program, [stdin])
        return result

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        """Run a program once for each standard input, in a machine each; it is compiled once; see `Sandbox`."""
        check_program(program, self.languages)
        return await service_loop().call(run_jobs(program, inputs, self._in_place))

    async def session(self, limits: Limits | None = None) -> Session:
        """Raise `UserError`: there are none."""
        raise UserError("sandbox=e2b has no sessions; sandbox=local has them")

    async def close(self) -> None:
        """End all machines that run; harmless twice."""
        if self._machines:
            await service_loop().call(self._close())

    async def _close(self) -> None:
        await asyncio.gather(*(_end(machine) for machine in self._machines))

    async def _in_place(self, job: Job, stdin: str) -> Result:
        """Run a command in a machine of its own, when there is a place for it."""
        if self._places is None:
            self._places = asyncio.Semaphore(self._settings.concurrency)
        with current().excuse.queueing():
            await self._places.acquire()
        try:
            machine = await self._ordered(job.limits)
            self._machines.add(machine)
            try:
                return await _run(machine, job, stdin)
            finally:
                self._machines.discard(machine)
                await asyncio.shield(_end(machine))
        except AuthenticationException as error:
            raise UserError(f"sandbox=e2b: {error}") from error
        except (SandboxException, httpx.HTTPError, OSError) as error:
            return Result(Status.INFRASTRUCTURE, tier=TIER, message=told(error))
        finally:
            self._places.release()

    async def _ordered(self, limits: Limits) -> AsyncSandbox:
        chosen = self._settings
        where = {"domain": chosen.domain, "api_url": chosen.api_url, "sandbox_url": chosen.sandbox_url}
        return await AsyncSandbox.create(
            chosen.template,
            timeout=round(limits.seconds) + _LIFE,
            allow_internet_access=False,
            metadata={"agent-rl": "sandbox"},
            request_timeout=_AROUND_SECONDS,
            **{name: value for name, value in where.items() if value},
        )


class _Output:
    """Standard output and standard error, up to a number of bytes each."""

    def __init__(self, most: int) -> None:
        self.streams = [bytearray(), bytearray()]
        self.over = asyncio.Event()
        self._most = most

    def add(self, stream: int, text: str) -> None:
        self.streams[stream] += text.encode()
        if len(self.streams[stream]) > self._most:
            del self.streams[stream][self._most :]
            self.over.set()

    def text(self, stream: int) -> str:
        return self.streams[stream].decode(errors="replace")


async def _run(machine: AsyncSandbox, job: Job, stdin: str) -> Result:
    files = {f"work/{path}": content for path, content in job.files.items()}
    files["stdin"] = stdin.encode(errors="surrogatepass")
    entries = [{"path": f"{_ROOM}/{path}", "data": content} for path, content in files.items()]
    await machine.files.write_files(entries, request_timeout=_AROUND_SECONDS)
    output = _Output(job.limits.output_kb << 10)
    begun = time.monotonic()
    status, exit_code = await _ended(machine, job, output)
    seconds = time.monotonic() - begun
    fetched = await _fetched(machine, job.fetch) if exit_code is not None else {}
    return Result(status, exit_code, output.text(0), output.text(1), seconds, tier=TIER, files=fetched)


async def _ended(machine: AsyncSandbox, job: Job, output: _Output) -> tuple[Status, int | None]:
    """Run the command; return what became of it, and its exit code where it has one."""
    handle = await machine.commands.run(
        _command(job),
        background=True,
        timeout=job.limits.seconds + _AROUND_SECONDS,
        on_stdout=lambda text: output.add(0, text),
        on_stderr=lambda text: output.add(1, text),
        retain_output=False,
    )
    waits = [asyncio.ensure_future(wait) for wait in (handle.wait(), output.over.wait())]
    try:
        await asyncio.wait(waits, timeout=job.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
        if output.over.is_set():
            return Status.OUTPUT_LIMIT, None
        if not waits[0].done():
            return Status.TIME_LIMIT, None
        await waits[0]
        return Status.FINISHED, 0
    except CommandExitException as error:
        return Status.ERROR, error.exit_code if error.exit_code >= 0 else None  # a signal, and it is not said which
    finally:
        for wait in waits:
            wait.cancel()
        await handle.disconnect()


def _command(job: Job) -> str:
    """Return the command for bash, with the limits that a shell can set."""
    limits = [f"ulimit -u {job.limits.processes}", f"ulimit -f {job.limits.disk_mb << 10}"]
    if job.addresses:
        limits.append(f"ulimit -v {job.addresses * job.limits.memory_mb << 10}")
    return f"cd {_ROOM}/work && {' && '.join(limits)} && exec {shlex.join(job.command)} < ../stdin"


async def _fetched(machine: AsyncSandbox, paths: Sequence[str]) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for path in paths:
        try:
            content: Any = await machine.files.read(
                f"{_ROOM}/work/{path}", format="bytes", request_timeout=_AROUND_SECONDS
            )
            found[path] = bytes(content)
        except NotFoundException:
            continue
    return found


async def _end(machine: AsyncSandbox) -> None:
    """End a machine; where that fails, it ends by itself at the end of its time."""
    with suppress(SandboxException, httpx.HTTPError, OSError):
        await machine.kill(request_timeout=_AROUND_SECONDS)
