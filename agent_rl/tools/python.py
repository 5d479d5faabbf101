"""The tool `python`: programs that an agent runs to reason, and how it reads what became of them."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt

from agent_rl.core.context import current
from agent_rl.core.settings import Settings
from agent_rl.tools.answers import Answer
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.registry import register_tool
from agent_rl.tools.sandbox.base import Limits, Program, Result, Session, Status
from agent_rl.tools.sandbox.current import current_sandbox
from agent_rl.tools.tool import Tool, tool
from agent_rl.tools.toolset import ToolSet, instance

PATIENT = ToolPolicy(timeout=600.0)
"""The policy of a tool that runs programs: the sandbox has limits of its own, and a queue."""
SHOWN = 3000
"""Characters of a program's output that are shown; that there is more is said."""
_STATELESS = "Run a Python program and return what it prints. Nothing is kept from one call to the next."
_LAST = 6  # lines of standard error, which ends with what went wrong
_LONGEST = 300  # characters of such a line


class PythonSettings(Settings):
    """How an agent's Python runs."""

    state: bool = True
    """Whether what one call defines is there in the next of the same episode, as in a notebook."""
    seconds: PositiveFloat = 10.0
    """Wall-clock seconds of a call."""
    memory_mb: PositiveInt = 512
    """MiB of a call; with state, of all that is kept too."""

    @property
    def limits(self) -> Limits:
        """What the sandbox is told."""
        return Limits(seconds=self.seconds, memory_mb=self.memory_mb)


class PythonSession(ToolSet, lives="episode"):
    """Offers the tool `python` to an episode: `toolsets = (PythonSession,)`; a subclass may have other settings."""

    settings: ClassVar[PythonSettings] = PythonSettings()

    def __init__(self) -> None:
        """Begin no interpreter yet."""
        self._session: Session | None = None
        self._busy = asyncio.Lock()

    @tool(policy=PATIENT)  # type: ignore[untyped-decorator]
    async def python(self, code: str) -> str:
        """Run Python code; return what it prints and the value of a last expression. The next call knows its names."""
        return await self.run(code)

    def tools(self) -> list[Tool]:
        """Return the tools; without a state `python` is described as what it is then."""
        there = super().tools()
        if self.settings.state:
            return there
        return [replace(one, description=_STATELESS) if one.name == "python" else one for one in there]

    async def run(self, code: str) -> str:
        """Run code, after what was asked to run before, and return what the agent reads of it.

        Raises:
            InfrastructureError: The sandbox failed.
            UserError: It has no sessions, and the settings ask for one.
        """
        limits = self.settings.limits
        if not self.settings.state:
            return await run_python(code, limits)
        async with self._busy:
            self._session = self._session or await current_sandbox().session(limits)
            return told((await self._session.run(code)).checked(), limits)

    async def close(self) -> None:
        """End the interpreter, if one was begun."""
        if self._session is not None:
            await self._session.close()


@tool(policy=PATIENT)  # type: ignore[untyped-decorator]
async def python(code: str) -> str:
    """Run Python code; return what it prints and the value of a last expression. The next call knows its names.

    Those of the same episode, that is; outside of episodes each call has an interpreter of its own.
    """
    if current().episode:
        return await instance(PythonSession).run(code)
    session = PythonSession()
    try:
        return await session.run(code)
    finally:
        await session.close()


register_tool("python", python)


async def run_python(code: str, limits: Limits) -> str:
    """Run a program of its own and return what the agent reads of it.

    Raises:
        InfrastructureError: The sandbox failed.
    """
    return told((await current_sandbox().run(Program(code, limits=limits))).checked(), limits)


def told(result: Result, limits: Limits) -> str:
    """Return what an agent reads of a result: its output, and the last lines of what went wrong."""
    parts = [
        str(Answer.of(result.stdout.rstrip("\n"), SHOWN)),
        last_lines(result.stderr),
        _ended(result, limits),
        f"({result.message})" if result.message else "",
    ]
    return "\n".join(part for part in parts if part) or "(no output)"


def last_lines(stderr: str) -> str:
    """Return the end of error output, where a traceback says what went wrong."""
    return "\n".join(line[:_LONGEST] for line in stderr.rstrip().splitlines()[-_LAST:])


def _ended(result: Result, limits: Limits) -> str:
    match result.status:
        case Status.TIME_LIMIT:
            return f"Error: it took longer than {limits.seconds:g} s"
        case Status.MEMORY_LIMIT:
            return f"Error: it used more than {limits.memory_mb} MiB"
        case Status.OUTPUT_LIMIT:
            return f"Error: it wrote more than {limits.output_kb} KiB"
        case Status.ERROR if not result.stderr.strip():
            return f"Error: it ended with code {result.exit_code}"
        case _:
            return ""
