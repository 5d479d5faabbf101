"""The sandbox protocol on Sandbox Fusion's contract."""

import asyncio
import base64
import threading
from collections.abc import Sequence
from typing import Any

from agent_rl.clients.fusion import FusionClient
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import service_loop
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session
from agent_rl.tools.sandbox.fusion.answers import failed, read
from agent_rl.tools.sandbox.fusion.languages import COMPILED, NAMES
from agent_rl.tools.sandbox.fusion.settings import FusionSettings
from agent_rl.tools.sandbox.paths import check as check_paths


class FusionSandbox:
    """Programs run at a server; all event loops of this process share its connections and their limit."""

    languages = tuple(NAMES)
    """What the contract has names for. A server need not have all: it refuses what it does not know."""

    def __init__(self, settings: FusionSettings) -> None:
        """Use the server at `settings.url`, from the first program on."""
        self._settings = settings
        self._client: FusionClient | None = None
        self._making = threading.Lock()

    async def run(self, program: Program, stdin: str = "") -> Result:
        """Run a program once.

        Raises:
            UserError: The server refuses the language or the limits, or a path leaves the working folder.
        """
        request = self._request(program)
        seconds = program.limits.seconds + self._settings.spare_seconds
        if program.language in COMPILED:
            seconds += program.limits.compile_seconds
        try:
            answer = await service_loop().call(self._shared().run_code({**request, "stdin": _text(stdin)}, seconds))
        except InfrastructureError as error:
            return failed(error.message)
        return read(answer, program.limits, self._settings.whole_kb)

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        """Run a program once for each standard input.

        The contract has one input a request, so that the server compiles for each, but for what does not compile.
        """
        if program.language not in COMPILED or len(inputs) < 2:
            return await asyncio.gather(*(self.run(program, stdin) for stdin in inputs))
        first = await self.run(program, inputs[0])
        if first.stage == "compile":
            return [first] * len(inputs)
        return [first, *await asyncio.gather(*(self.run(program, stdin) for stdin in inputs[1:]))]

    async def session(self, limits: Limits | None = None) -> Session:
        """Raise `UserError`: the contract keeps nothing from one request to the next."""
        raise UserError(
            "sandbox=fusion has no sessions: Sandbox Fusion's contract keeps no state; sandbox=local has them"
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await service_loop().call(self._client.close())

    def _shared(self) -> FusionClient:
        with self._making:
            if self._client is None:
                chosen = self._settings
                self._client = FusionClient(chosen.url, chosen.concurrency, chosen.attempts, chosen.backoff_seconds)
            return self._client

    def _request(self, program: Program) -> dict[str, Any]:
        if program.language not in NAMES:
            raise UserError(f"unknown language '{program.language}'{nearest(program.language, NAMES)}")
        check_paths(program.files, program.fetch)
        limits = program.limits
        return {
            "code": _text(program.code),
            "language": NAMES[program.language],
            "compile_timeout": limits.compile_seconds,
            "run_timeout": limits.seconds,
            "memory_limit_MB": limits.memory_mb,
            "files": {path: base64.b64encode(content).decode() for path, content in program.files.items()},
            "fetch_files": list(program.fetch),
            "output_limit_KB": limits.output_kb,
            "disk_limit_MB": limits.disk_mb,
            "process_limit": limits.processes,
        }


def _text(text: str) -> str:
    """Return a text without lone surrogates, which no JSON parser of a server takes."""
    return text.encode(errors="replace").decode()
