"""Verdicts of a program on the cases of a problem."""

from collections.abc import Sequence
from functools import partial
from weakref import WeakSet

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import in_thread
from agent_rl.envs.code.problem import Case, CodeProblem
from agent_rl.envs.code.styles import STYLES, AnyStyle, Judged, Verdict, needs_pytest
from agent_rl.tools.sandbox.base import Limits, Program, Result, Sandbox, Status

_FIRST, _MOST = 4, 32
"""Cases of the first round, and most of a later one: a program that fails early costs little, and one that does not is
compiled a few times only."""
_WITH_PYTEST: WeakSet[Sandbox] = WeakSet()
_LIMITS = {
    Status.TIME_LIMIT: Verdict.TIME_LIMIT,
    Status.MEMORY_LIMIT: Verdict.MEMORY_LIMIT,
    Status.OUTPUT_LIMIT: Verdict.OUTPUT_LIMIT,
}


async def judge(
    sandbox: Sandbox, problem: CodeProblem, code: str, cases: Sequence[Case], limits: Limits, every: bool = True
) -> list[Judged]:
    """Return what became of a program on each case, each in a process of its own.

    Cases that follow a time limit are skipped, lest a program that is too slow uses up its time on each of them.

    Args:
        sandbox: What runs it.
        problem: What it is to solve.
        code: The program.
        cases: Cases of the problem.
        limits: What it may use on each case; its output may be twice as long as what is expected.
        every: Whether the cases are run that follow one that was not accepted.

    Raises:
        InfrastructureError: The sandbox failed.
        UserError: The sandbox cannot run programs of this kind.
    """
    if problem.style == "pytest" and any(needs_pytest(case.input) for case in cases):
        await _require_pytest(sandbox)
    style, judged = STYLES[problem.style], list[Judged]()
    longest = max(map(style.length, cases), default=0)
    roomy = limits.model_copy(update={"output_kb": max(limits.output_kb, 2 * longest // 1024)})
    program = style.program(problem, code, roomy)
    size = _FIRST
    while len(judged) < len(cases):
        if _hopeless(judged, every):
            return [*judged, *[Judged(Verdict.SKIPPED)] * (len(cases) - len(judged))]
        batch = cases[len(judged) : len(judged) + size]
        inputs = [style.stdin(problem, case) for case in batch]
        results = [result.checked() for result in await sandbox.run_each(program, inputs)]
        runs = list(zip(batch, results, inputs, strict=True))
        judged += await in_thread(partial(_judged, style, runs))  # outputs may be long
        size = min(4 * size, _MOST)
    return judged


def passed(judged: Sequence[Judged]) -> int:
    """Return how many cases were accepted."""
    return sum(one.verdict is Verdict.ACCEPTED for one in judged)


def _hopeless(judged: Sequence[Judged], every: bool) -> bool:
    return passed(judged) < len(judged) if not every else any(one.verdict is Verdict.TIME_LIMIT for one in judged)


def _judged(style: AnyStyle, runs: Sequence[tuple[Case, Result, str]]) -> list[Judged]:
    return [_ended(result) or style.judged(case, result, stdin) for case, result, stdin in runs]


async def _require_pytest(sandbox: Sandbox) -> None:
    """Raise `UserError` unless the sandbox has pytest; found by a run without a policy's program, which might lie."""
    if sandbox not in _WITH_PYTEST:
        result = (await sandbox.run(Program("import pytest"))).checked()
        if result.status is Status.ERROR:
            raise UserError("the tests of this problem need pytest, which the sandbox does not have")
        if result.status is not Status.FINISHED:  # that it was too slow just now does not say that it is missing
            raise InfrastructureError("sandbox", f"'import pytest' ended with {result.status}")
        _WITH_PYTEST.add(sandbox)


def _ended(result: Result) -> Judged | None:
    """Return the verdict of a program that the sandbox ended, or that could not be compiled; else None."""
    if result.stage == "compile" and result.status is not Status.FINISHED:
        return Judged(Verdict.COMPILE_ERROR, "", result.stderr)
    verdict = _LIMITS.get(result.status)
    return None if verdict is None else Judged(verdict, result.stdout, result.stderr)
