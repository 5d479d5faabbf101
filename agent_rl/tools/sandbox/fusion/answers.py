"""What a server says of a program, as a result."""

import base64
from dataclasses import replace
from typing import Literal

from agent_rl.clients.fusion_messages import CommandResult, Outcome, RunAnswer
from agent_rl.tools.sandbox.base import Limits, Result, Status

TIER = "remote"
"""The isolation of a server that does not name it."""
_NOT_FOUND = 127  # a shell's exit code for a command that is not there


def failed(message: str) -> Result:
    """Return the result that says that the sandbox failed."""
    return Result(Status.INFRASTRUCTURE, tier=TIER, message=message)


def read(answer: RunAnswer, limits: Limits, whole_kb: int) -> Result:
    """Return an answer as a result.

    Args:
        answer: What the server says.
        limits: What the program was allowed.
        whole_kb: KiB of output up to which it cannot have been cut, by a server that does not say whether it was.
    """
    stage: Literal["compile", "run"] = "run" if answer.run_result else "compile"
    command = answer.run_result or answer.compile_result
    if answer.status == "SandboxError" or command is None or command.status == "Error":
        return failed(answer.message or (command and command.stderr) or f"the server answered '{answer.status}' alone")
    try:
        result = Result(
            Status.FINISHED,
            exit_code=command.return_code,
            stdout=command.stdout or "",
            stderr=command.stderr or "",
            seconds=command.execution_time or 0.0,
            tier=TIER,
            stage=stage,
            files={path: base64.b64decode(content, validate=True) for path, content in answer.files.items()},
        )
        if answer.outcome is not None:
            result = _told(result, answer.outcome)
        else:
            result = _inferred(result, command, whole_kb * 1024)
    except ValueError as error:
        return failed(f"the server's answer cannot be read: {error}")
    return _capped(result, limits.output_kb * 1024)


def _told(result: Result, outcome: Outcome) -> Result:
    """Return a result as a server tells it that has words for everything."""
    return replace(
        result,
        status=Status(outcome.status),
        stage=outcome.stage,
        exit_code=outcome.exit_code,
        peak_memory_mb=outcome.peak_memory_mb,
        tier=outcome.tier or TIER,
    )


def _inferred(result: Result, command: CommandResult, whole: int) -> Result:
    """Return a result with the status that follows from the contract's words alone."""
    if max(_size(result.stdout), _size(result.stderr)) > whole:
        return replace(result, status=Status.OUTPUT_LIMIT, exit_code=None)
    if command.status == "TimeLimitExceeded":
        return replace(result, status=Status.TIME_LIMIT, exit_code=None)
    if result.exit_code is None:
        return failed("the server answered 'Finished' without an exit code")
    if result.stage == "compile" and result.exit_code in (0, _NOT_FOUND):
        return failed(f"the server did not compile the program, or not run it: {result.stderr}")
    return replace(result, status=Status.ERROR) if result.exit_code else result


def _capped(result: Result, most: int) -> Result:
    """Return a result with at most `most` bytes of each stream; the local sandbox ends a program that writes more."""
    if max(_size(result.stdout), _size(result.stderr)) <= most:
        return result
    stdout, stderr = (text.encode()[:most].decode(errors="replace") for text in (result.stdout, result.stderr))
    status = Status.OUTPUT_LIMIT if result.stage == "run" else result.status
    return replace(result, status=status, stdout=stdout, stderr=stderr)


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
