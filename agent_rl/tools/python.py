"""Python for reasoning: programs that an agent runs in the sandbox, and how it reads what became of them."""

from agent_rl.tools.answers import Answer
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.current import current_sandbox

SHOWN = 3000
"""Characters of a program's output that are shown; that there is more is said."""
_LAST = 6  # lines of standard error, which ends with what went wrong
_LONGEST = 300  # characters of such a line


async def run_python(code: str, limits: Limits) -> str:
    """Run a program and return what the agent reads of it.

    Raises:
        InfrastructureError: The sandbox failed.
    """
    return told((await current_sandbox().run(Program(code, limits=limits))).checked(), limits)


def told(result: Result, limits: Limits) -> str:
    """Return what an agent reads of a result: its output, and the last lines of what went wrong."""
    parts = [str(Answer.of(result.stdout.rstrip("\n"), SHOWN)), last_lines(result.stderr), _ended(result, limits)]
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
