"""Programs as commands, for sandboxes that know nothing of languages: what is compiled is compiled once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from agent_rl.core.errors import UserError, nearest
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.languages import LANGUAGES, Language
from agent_rl.tools.sandbox.paths import check as check_paths

KNOWN = {"python": Language("main.py", ("python3", "main.py"), ("python3",), addresses=1), **LANGUAGES}
"""How programs are run, by language."""
_COMPILING = Limits(memory_mb=2048, disk_mb=512, processes=128)
_SIGNALLED, _SIGNALS = 128, 64


@dataclass(frozen=True)
class Job:
    """A command to run in a folder.

    Attributes:
        files: What lies in the folder.
        command: The command.
        limits: What it may use.
        fetch: Paths to bring back.
        addresses: How many times its memory a process may take of addresses; 0 for any.
    """

    files: Mapping[str, bytes]
    command: tuple[str, ...]
    limits: Limits
    fetch: tuple[str, ...]
    addresses: int = 0


def check_languages(languages: Collection[str]) -> None:
    """Raise `UserError` for a language that nobody here knows how to run."""
    for name in languages:
        if name not in KNOWN:
            raise UserError(f"sandbox.languages: '{name}' is unknown{nearest(name, KNOWN)}")


def check_program(program: Program, languages: Collection[str]) -> None:
    """Raise `UserError` for a program in none of the languages, or with a path that leaves its folder."""
    if program.language not in languages:
        hint = nearest(program.language, languages)
        raise UserError(f"this sandbox has no '{program.language}'{hint}: it can run {', '.join(languages)}")
    check_paths(program.files, program.fetch)


async def run_jobs(
    program: Program, inputs: Sequence[str], run: Callable[[Job, str], Awaitable[Result]]
) -> list[Result]:
    """Return the results of a program for each standard input, in order.

    Args:
        program: What `check_program` has let pass.
        inputs: The inputs.
        run: Runs a job with a standard input.
    """
    language, limits = KNOWN[program.language], program.limits
    files = {**program.files, language.file: program.code.encode(errors="surrogatepass")}
    if language.compile:
        allowed = _COMPILING.model_copy(update={"seconds": limits.compile_seconds, "output_kb": limits.output_kb})
        compiled = await run(Job(files, language.compile, allowed, (language.made,)), "")
        if language.made not in compiled.files:
            status = Status.ERROR if compiled.status is Status.FINISHED else compiled.status
            return [replace(compiled, status=status, stage="compile", files={})] * len(inputs)
        files = {**program.files, **compiled.files}
    command = tuple(word.format(memory=limits.memory_mb) for word in language.run)
    job = Job(files, command, limits, program.fetch, language.addresses)
    return list(await asyncio.gather(*(run(job, stdin) for stdin in inputs)))


def from_shell(exit_code: int) -> int:
    """Return an exit code that is negative for a signal, of one as shells and containers tell it."""
    return _SIGNALLED - exit_code if _SIGNALLED < exit_code <= _SIGNALLED + _SIGNALS else exit_code
