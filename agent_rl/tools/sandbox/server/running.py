"""Requests as programs, and results as answers."""

import base64
import platform
from collections.abc import Mapping
from typing import TypeVar

from pydantic import PositiveFloat, PositiveInt, model_validator

from agent_rl.clients.fusion_messages import CommandResult, Outcome, RunAnswer, RunRequest
from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.fusion.languages import NAMES

T = TypeVar("T", int, float)
_OURS = {theirs: ours for ours, theirs in NAMES.items()}
_KILLED = -9  # the contract has no words for these limits; its clients take another exit code than 0 for a failure
_TOLD = {
    Status.MEMORY_LIMIT: "the program was ended: it used more memory than it may",
    Status.OUTPUT_LIMIT: "the program was ended: it wrote more than it may, and its output is cut",
}


class ServedLimits(Settings):
    """What programs may use: what they are given where a request does not say, and how much a request may ask for."""

    memory_mb: PositiveInt = 1024
    """MiB of memory for a request that does not say."""
    output_kb: PositiveInt = 256
    """KiB of each output stream for a request that does not say; Sandbox Fusion's clients cannot say."""
    disk_mb: PositiveInt = 64
    """MiB in the scratch folder for a request that does not say."""
    processes: PositiveInt = 32
    """Processes and threads for a request that does not say."""
    most_seconds: PositiveFloat = 300.0
    """Longest run, and longest compiling, that a request may ask for. More is refused, as with the other limits."""
    most_memory_mb: PositiveInt = 8192
    """Most MiB of memory that a request may ask for."""
    most_output_kb: PositiveInt = 8192
    """Most KiB of each output stream that a request may ask for."""
    most_disk_mb: PositiveInt = 1024
    """Most MiB in the scratch folder that a request may ask for."""
    most_processes: PositiveInt = 256
    """Most processes and threads that a request may ask for."""

    @model_validator(mode="after")
    def _fit(self) -> "ServedLimits":
        for name in ("memory_mb", "output_kb", "disk_mb", "processes"):
            if getattr(self, name) > getattr(self, f"most_{name}"):
                raise ValueError(f"{name} is more than most_{name}")
        return self

    def of(
        self,
        *,
        seconds: float,
        compile_seconds: float = 10.0,
        memory_mb: int = -1,
        output_kb: int | None = None,
        disk_mb: int | None = None,
        processes: int | None = None,
    ) -> Limits:
        """Return the limits that a request asks for.

        Raises:
            UserError: It asks for more than is allowed.
        """
        return Limits(
            seconds=_allowed("seconds", seconds, self.most_seconds),
            compile_seconds=_allowed("compile seconds", compile_seconds, self.most_seconds),
            memory_mb=_allowed("MiB of memory", memory_mb if memory_mb > 0 else self.memory_mb, self.most_memory_mb),
            output_kb=_allowed("KiB of output", output_kb or self.output_kb, self.most_output_kb),
            disk_mb=_allowed("MiB on disk", disk_mb or self.disk_mb, self.most_disk_mb),
            processes=_allowed("processes", processes or self.processes, self.most_processes),
        )


def _allowed(what: str, asked: T, most: T) -> T:
    if asked > most:
        raise UserError(f"this server allows {most:g} {what} at most, and {asked:g} were asked for")
    return asked


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
