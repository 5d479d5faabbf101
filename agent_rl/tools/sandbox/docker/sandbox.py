"""The sandbox protocol on a Docker engine."""

import asyncio
import threading
from collections.abc import Sequence

from docker import APIClient
from docker.errors import DockerException, ImageNotFound
from docker.utils import kwargs_from_env
from requests import RequestException

from agent_rl.core.context import current
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError, told
from agent_rl.core.threads import in_thread, service_loop
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session, Status
from agent_rl.tools.sandbox.docker.container import Container
from agent_rl.tools.sandbox.docker.settings import DockerSettings
from agent_rl.tools.sandbox.jobs import Job, check_languages, check_program, from_shell, run_jobs

TIER = "docker"
_ENGINE_SECONDS = 60.0  # for one answer of the engine
_AROUND_SECONDS = 30.0  # for writing and reading files in the container
_INPUT = ["sh", "-c", 'exec "$@" < ../stdin', "sh"]
_NOT_RUN = (126, 127)  # as shells tell that a command is not there; a program may exit so, too
_ENDED = {"late": Status.TIME_LIMIT, "over": Status.OUTPUT_LIMIT}


class DockerSandbox:
    """Programs run in containers. Used from any loop and thread."""

    def __init__(self, settings: DockerSettings) -> None:
        """Use the engine from the first program on.

        Raises:
            UserError: It is to run a language that nobody knows how to.
        """
        check_languages(settings.languages)
        self.languages = settings.languages
        self._settings = settings
        self._engine: APIClient | None = None
        self._places: asyncio.Semaphore | None = None
        self._making = threading.Lock()
        self._running: set[Container] = set()

    async def run(self, program: Program, stdin: str = "") -> Result:
        """Run a program once; see `Sandbox`."""
        (result,) = await self.run_each(program, [stdin])
        return result

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        """Run a program once for each standard input, in a container each; it is compiled once; see `Sandbox`."""
        check_program(program, self.languages)
        return await service_loop().call(run_jobs(program, inputs, self._in_place))

    async def session(self, limits: Limits | None = None) -> Session:
        """Raise `UserError`: there are none."""
        raise UserError("sandbox=docker has no sessions; sandbox=local has them")

    async def close(self) -> None:
        """Remove all containers that run; harmless twice."""
        containers, self._running = list(self._running), set()
        for container in containers:
            await in_thread(container.remove)
        if self._engine is not None:
            self._engine.close()

    async def _in_place(self, job: Job, stdin: str) -> Result:
        """Run a command in a container of its own, when there is a place for it."""
        if self._places is None:
            self._places = asyncio.Semaphore(self._settings.concurrency)
        with current().excuse.queueing():
            await self._places.acquire()
        try:
            container = await in_thread(lambda: self._started(job.limits))
            try:
                return await in_thread(lambda: _run(container, job, stdin))
            finally:
                self._running.discard(container)
                await asyncio.shield(in_thread(container.remove))
        except ImageNotFound as error:
            raise UserError(f"the engine has no image '{self._settings.image}': docker pull it first") from error
        except (DockerException, RequestException, OSError) as error:
            return Result(Status.INFRASTRUCTURE, tier=TIER, message=told(error))
        except InfrastructureError as error:
            return Result(Status.INFRASTRUCTURE, tier=TIER, message=error.message)
        finally:
            self._places.release()

    def _started(self, limits: Limits) -> Container:
        with self._making:
            if self._engine is None:
                where = kwargs_from_env()
                if self._settings.url:
                    where["base_url"] = self._settings.url
                self._engine = APIClient(**where, version="auto", timeout=_ENGINE_SECONDS)
        container = Container(self._engine, self._settings, limits)
        self._running.add(container)
        return container


def _run(container: Container, job: Job, stdin: str) -> Result:
    files = {f"work/{path}": content for path, content in job.files.items()}
    container.put({**files, "stdin": stdin.encode(errors="surrogatepass")}, _AROUND_SECONDS)
    limits = job.limits
    said = container.execute([*_INPUT, *job.command], limits.seconds, limits.output_kb << 10)
    if said.exit_code in _NOT_RUN and container.lacks(job.command[0], _AROUND_SECONDS):
        raise UserError(f"the image has no '{job.command[0]}' to run the program with")
    peak, killed = container.memory(_AROUND_SECONDS)
    exit_code = None if said.exit_code is None else from_shell(said.exit_code)
    if said.ended:
        status = _ENDED[said.ended]
    elif exit_code:
        status = Status.MEMORY_LIMIT if killed else Status.ERROR
    else:
        status = Status.FINISHED
    stdout, stderr = (bytes(stream[: limits.output_kb << 10]).decode(errors="replace") for stream in said.streams)
    fetched = {} if said.ended else container.get(job.fetch, _AROUND_SECONDS, 2 * limits.disk_mb << 20)
    return Result(status, exit_code, stdout, stderr, said.seconds, peak, TIER, files=fetched)
