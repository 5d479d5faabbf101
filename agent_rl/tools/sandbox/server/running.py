"""Requests as programs, and results as answers."""

import base64
import platform
from collections.abc import Mapping

from agent_rl.clients.fusion_messages import CommandResult, Outcome, RunAnswer, RunRequest
from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.fusion.languages import NAMES

_OURS = {theirs: ours for ours, theirs in NAMES.items()}
_KILLED = -9  # the contract has no words for these limits; its clients take another exit code than 0 for a failure
_TOLD = {
    Status.MEMORY_LIMIT: "the program was ended: it used more memory than it may",
    Status.OUTPUT_LIMIT: "the program was ended: it wrote more than it may, and its output is cut",
}


class ServedLimits(Settings):
    """What programs may use."""

    default: Limits = Limits(memory_mb=1024)
    """Where a request does not say: memory, output, disk and processes. Times it always says, or they are 10 s."""
    most: Limits = Limits(seconds=300, compile_seconds=300, memory_mb=8192, output_kb=8192, disk_mb=1024, processes=256)
    """A request for more is refused."""

    def of(
        self,
        *,
        seconds: float,
        compile_seconds: float | None = None,
        memory_mb: int = -1,
        output_kb: int | None = None,
        disk_mb: int | None = None,
        processes: int | None = None,
    ) -> Limits:
        """Return the limits that a request asks for.

        Raises:
            UserError: It asks for more than is allowed.
        """
        asked = {
            "seconds": seconds,
            "compile_seconds": compile_seconds,
            "memory_mb": memory_mb if memory_mb > 0 else None,
            "output_kb": output_kb,
            "disk_mb": disk_mb,
            "processes": processes,
        }
        for name, value in asked.items():
            if value is not None and value > (most := getattr(self.most, name)):
                raise UserError(f"this server allows {name}={most:g} at most, and {value:g} was asked for")
        return self.default.model_copy(update={name: value for name, value in asked.items() if value is not None})


def program(request: RunRequest, limits: ServedLimits) -> Program:
    """Return the program that a request asks to run.

    Raises:
        UserError: It asks for more than is allowed.
    """
    return Program(
        request.code,
        language(request.language),
        files=contents(request.files),
        fetch=tuple(request.fetch_files),
        limits=limits.of(
            seconds=request.run_timeout,
            compile_seconds=request.compile_timeout,
            memory_mb=request.memory_limit_MB,
            output_kb=request.output_limit_KB,
            disk_mb=request.disk_limit_MB,
            processes=request.process_limit,
        ),
    )


def language(name: str) -> str:
    """Return our name of one of the contract's languages."""
    return _OURS.get(name, name)


def contents(files: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return the files of a request that have a content."""
    return {path: content for path, content in files.items() if content is not None}


def failed(message: str) -> RunAnswer:
    """Return the answer that says that the sandbox failed."""
    return RunAnswer(status="SandboxError", message=message, executor_pod_name=platform.node())


def answer(result: Result) -> RunAnswer:
    """Return a result in the contract's words."""
    if result.status is Status.INFRASTRUCTURE:
        return failed(result.message)
    command = CommandResult(
        status="TimeLimitExceeded" if result.status is Status.TIME_LIMIT else "Finished",
        execution_time=result.seconds,
        return_code=_exit_code(result),
        stdout=result.stdout,
        stderr=result.stderr,
    )
    return RunAnswer(
        status="Success" if result.status is Status.FINISHED else "Failed",
        message=_TOLD.get(result.status, ""),
        compile_result=command if result.stage == "compile" else None,
        run_result=command if result.stage == "run" else None,
        executor_pod_name=platform.node(),
        files={path: base64.b64encode(content).decode() for path, content in result.files.items()},
        outcome=outcome(result),
    )


def outcome(result: Result) -> Outcome:
    """Return what the contract has no words for."""
    return Outcome(
        status=result.status.value,
        stage=result.stage,
        exit_code=result.exit_code,
        peak_memory_mb=result.peak_memory_mb,
        tier=result.tier,
    )


def _exit_code(result: Result) -> int | None:
    if result.status in _TOLD:
        return result.exit_code or _KILLED
    return result.exit_code
