"""What the server does with a request, whoever brings it."""

from agent_rl.clients.fusion_messages import (
    NotebookAnswer,
    NotebookRequest,
    RunAnswer,
    RunRequest,
    SubmitAnswer,
    SubmitRequest,
)
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.tools.sandbox.base import Result, Sandbox
from agent_rl.tools.sandbox.fusion.languages import NAMES
from agent_rl.tools.sandbox.server.gate import Gate
from agent_rl.tools.sandbox.server.judge import judge
from agent_rl.tools.sandbox.server.notebook import run_cells
from agent_rl.tools.sandbox.server.running import ServedLimits, answer, failed, language, program


class SandboxService:
    """Answers requests by a sandbox.

    Every method raises `UserError` for what is not done here, and `BusyError` when there is no place.
    """

    def __init__(self, sandbox: Sandbox, limits: ServedLimits, gate: Gate) -> None:
        """Answer by `sandbox`, within `limits`, as many at once as `gate` lets in."""
        self._sandbox, self._limits, self.gate = sandbox, limits, gate

    async def run_code(self, request: RunRequest) -> RunAnswer:
        """Run a program once."""
        asked = program(request, self._limits)
        if asked.language not in self._sandbox.languages:
            return failed(self._missing(request.language))
        async with self.gate.place():
            result = await self._sandbox.run(asked, request.stdin or "")
        self._count(request.language, [result])
        return answer(result)

    async def run_jupyter(self, request: NotebookRequest) -> NotebookAnswer:
        """Run cells."""
        try:
            async with self.gate.place():
                said, results = await run_cells(self._sandbox, request, self._limits)
        except InfrastructureError as error:
            return NotebookAnswer(status="SandboxError", message=error.message)
        self._count("python", results)
        return said

    async def submit(self, request: SubmitRequest) -> SubmitAnswer:
        """Judge a completion.

        Raises:
            InfrastructureError: The sandbox failed, so that there is no verdict.
        """
        name = request.config.language
        if name is not None and language(name) not in self._sandbox.languages:
            raise UserError(self._missing(name))
        async with self.gate.place():
            verdict, results = await judge(self._sandbox, request, self._limits)
        self._count(name or "", results)
        return verdict

    async def close(self) -> None:
        """End the sandbox."""
        await self._sandbox.close()

    def _missing(self, name: str) -> str:
        return f"'{name}' is not installed here, but {', '.join(NAMES[ours] for ours in self._sandbox.languages)}"

    def _count(self, name: str, results: list[Result]) -> None:
        for result in results:
            self.gate.runs[name, result.status.value] += 1
            self.gate.run_seconds.add(result.seconds)
