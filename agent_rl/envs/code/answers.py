"""What a policy writes and reads: the program in its answer, and what is said of tests that were run."""

import re
from collections.abc import Sequence

from agent_rl.envs.code.harness import encode
from agent_rl.envs.code.judge import passed
from agent_rl.envs.code.problem import Case, CodeProblem
from agent_rl.envs.code.styles import Judged, Verdict, written
from agent_rl.tools.answers import Answer
from agent_rl.tools.python import last_lines

TOLD = 3
"""Failed tests of which the details are told."""
_SHOWN = 500  # characters of an input or an output
_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)


def program_in(text: str) -> str:
    """Return the last fenced block of an answer, or "" where none is complete."""
    blocks = _FENCED.findall(text)
    return blocks[-1] if blocks else ""


def told(problem: CodeProblem, cases: Sequence[Case], judged: Sequence[Judged]) -> str:
    """Return what the policy reads of tests that it may know: how many passed, and the first that failed."""
    if not cases:
        return "There are no public tests."
    lines = [f"{passed(judged)} of {len(judged)} tests passed."]
    failed = [i for i, one in enumerate(judged) if one.verdict not in (Verdict.ACCEPTED, Verdict.SKIPPED)]
    for i in failed[:TOLD]:
        lines += ["", f"Test {i + 1}: {judged[i].verdict.replace('_', ' ')}", *_details(problem, cases[i], judged[i])]
    if len(failed) > TOLD:
        lines += ["", f"({len(failed) - TOLD} more failed)"]
    return "\n".join(lines)


def _details(problem: CodeProblem, case: Case, judged: Judged) -> list[str]:
    if problem.style == "pytest":
        return [judged.given, last_lines(judged.error)]
    function = problem.style == "function"
    asked = (
        f"{problem.entry}({', '.join(written(encode(value, tuples=True)) for value in case.input)})"
        if function
        else case.input
    )
    parts = {"Input": asked, "Got": judged.given}
    if judged.verdict is Verdict.WRONG_ANSWER:
        parts["Expected"] = written(encode(case.expected)) if function else case.expected
    error = last_lines(judged.error)
    return [f"{name}: {_short(part)}" for name, part in parts.items() if part] + ([error] if error else [])


def _short(text: str) -> str:
    text = text.rstrip("\n")
    shown = str(Answer.of(text, _SHOWN))
    return f"\n{shown}" if "\n" in text else shown
