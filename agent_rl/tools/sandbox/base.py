"""What every sandbox is asked and what it answers: programs, their limits, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import Field, PositiveFloat, PositiveInt

from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.settings import Settings


class Status(StrEnum):
    """What became of a program."""

    FINISHED = "finished"  # it ended by itself with exit code 0
    ERROR = "error"  # another exit code, a signal, or it could not be compiled
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"  # it wrote more than allowed; what was kept is its beginning
    INFRASTRUCTURE = "infrastructure"  # the sandbox failed, which says nothing about the program


class Limits(Settings):
    """What one run of a program may use, all its processes together."""

    seconds: PositiveFloat = 10.0
    """Wall-clock seconds; then every process of the program is killed."""
    compile_seconds: PositiveFloat = 30.0
    """Wall-clock seconds for compiling, where the language is compiled."""
    memory_mb: PositiveInt = 512
    """Memory in MiB."""
    output_kb: PositiveInt = 256
    """KiB of each of standard output and standard error; a program that writes more is ended there."""
    disk_mb: PositiveInt = 64
    """MiB that it may write into its scratch folder."""
    processes: int = Field(default=32, ge=1, le=1024)
    """Processes and threads at one time."""


@dataclass(frozen=True)
class Program:
    """A program to run.

    Attributes:
        code: Its source.
        language: `python`, `bash`, `c`, `cpp`, …: see the sandbox's `languages`.
        files: Content by relative path; they lie in the working folder before it starts.
        fetch: Relative paths to bring back afterwards; what is not there is left out.
        limits: What each run may use.
    """

    code: str
    language: str = "python"
    files: Mapping[str, bytes] = field(default_factory=dict)
    fetch: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Result:
    """What became of a run.

    Attributes:
        status: How it ended.
        exit_code: Its exit code, negative for a signal; None where it did not end by itself.
        stdout: Standard output, cut at the limit; bytes that are no UTF-8 are replaced by U+FFFD.
        stderr: Standard error, likewise; of the compiler when `stage` is "compile".
        seconds: Wall-clock seconds of the run alone.
        peak_memory_mb: Most memory in MiB, None where it was not measured.
        tier: The isolation that ran it, such as `namespaces`; `remote` where only a server knows.
        stage: "compile" when it was not compiled and so never ran.
        message: What failed, for `INFRASTRUCTURE`; in a session, that the interpreter began anew; else empty.
        files: What was to be fetched and was there.
    """

    status: Status
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    tier: str = ""
    stage: Literal["compile", "run"] = "run"
    message: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)

    def checked(self) -> "Result":
        """Return the result, if it says something about the program.

        Raises:
            InfrastructureError: The sandbox failed, so that no reward follows from it.
        """
        if self.status is Status.INFRASTRUCTURE:
            raise InfrastructureError("sandbox", self.message)
        return self


class Session(Protocol):
    """A Python interpreter that keeps its state from one call to the next, isolated like a program."""

    async def run(self, code: str, seconds: float | None = None) -> Result:
        """Run code as in a notebook's cell; the value of a last expression is written to standard output.

        A time or memory limit ends the interpreter: the next call begins with a fresh one, and its `message` says so.

        Args:
            code: The cell.
            seconds: Wall-clock seconds for this call; by default the limits'.

        Raises:
            RuntimeError: The session has been closed.
        """
        ...

    async def snapshot(self) -> "Session":
        """Return a second session that begins with this one's state; from then on they are apart."""
        ...

    async def close(self) -> None:
        """End the interpreter; harmless twice."""
        ...


class Sandbox(Protocol):
    """Runs programs that nobody trusts. Used from several event loops and threads at once."""

    languages: tuple[str, ...]
    """What it can run here."""

    async def run(self, program: Program, stdin: str = "") -> Result:
        """Run a program once. What goes wrong is in the result; a program cannot make this raise.

        Raises:
            UserError: The language is unknown or not installed, or a path leaves the working folder.
        """
        ...

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        """Run a program once for each standard input, in order; it is compiled once."""
        ...

    async def session(self, limits: Limits | None = None) -> Session:
        """Begin a Python session.

        Raises:
            UserError: This sandbox has none.
        """
        ...

    async def close(self) -> None:
        """End all that is running; harmless twice."""
        ...
