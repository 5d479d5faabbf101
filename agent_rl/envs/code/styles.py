"""How a program is tested: what is run, what one case hands it, and what its result says."""

import json
import re
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.envs.code.compare import same_output, same_value
from agent_rl.envs.code.harness import MODULE, decode, encode
from agent_rl.envs.code.problem import Case, CodeProblem
from agent_rl.tools.sandbox.base import Limits, Program, Result, Status

_HARNESS = Path(__file__).with_name("harness.py")
_SYNTAX = ("SyntaxError:", "IndentationError:", "TabError:")
_PYTEST = re.compile(r"\bimport pytest\b|^class Test|^def test\w*\((?!\))", re.MULTILINE)


class Verdict(StrEnum):
    """What became of a program on one case."""

    ACCEPTED = "accepted"
    WRONG_ANSWER = "wrong_answer"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    RUNTIME_ERROR = "runtime_error"
    COMPILE_ERROR = "compile_error"
    SKIPPED = "skipped"  # not run, because of what became of it on others


_FAILED = {"compile": Verdict.COMPILE_ERROR, "memory": Verdict.MEMORY_LIMIT}


@dataclass(frozen=True)
class Judged:
    """The verdict of one case, what the program gave as far as it gave something, and the end of its error output."""

    verdict: Verdict
    given: str = ""
    error: str = ""


class Stdio:
    """The program reads standard input and writes standard output."""

    def program(self, problem: CodeProblem, code: str, limits: Limits) -> Program:
        """Return what is run, once for each case."""
        return Program(code, problem.language, limits=limits)

    def stdin(self, problem: CodeProblem, case: Case) -> str:
        """Return what one case hands to it."""
        return str(case.input)

    def judged(self, case: Case, result: Result, stdin: str) -> Judged:
        """Return the verdict of a run that ended by itself, on the input that it was handed."""
        verdict = Verdict.ACCEPTED
        if result.status is Status.ERROR:
            broken = result.stderr.rstrip().rpartition("\n")[2].startswith(_SYNTAX)
            verdict = Verdict.COMPILE_ERROR if broken else Verdict.RUNTIME_ERROR
        elif not same_output(str(case.expected), result.stdout):
            verdict = Verdict.WRONG_ANSWER
        return Judged(verdict, result.stdout, result.stderr)


class _Harnessed(ABC):
    """The program is a Python module that a harness imports, which reports under a mark that is new in each run."""

    def program(self, problem: CodeProblem, code: str, limits: Limits) -> Program:
        """Return the harness, with the program beside it."""
        if problem.language != "python":
            raise UserError(f"problem '{problem.id}': style {problem.style} needs Python, this is {problem.language}")
        files = {f"{MODULE}.py": code.encode("utf-8", "replace")}
        return Program(_HARNESS.read_text(encoding="utf-8"), files=files, limits=limits)

    def stdin(self, problem: CodeProblem, case: Case) -> str:
        """Return what the harness is to do, and the mark."""
        return json.dumps({"mark": secrets.token_hex(8), **self.asked(problem, case)})

    def judged(self, case: Case, result: Result, stdin: str) -> Judged:
        """Judge the report; a run that ended without one has failed, however it ended."""
        report = _report(result.stdout, json.loads(stdin)["mark"])
        if "failed" in report:
            if report["failed"] == "pytest":
                raise UserError("the tests of this problem need pytest, which the sandbox does not have")
            return Judged(_FAILED.get(report["failed"], Verdict.RUNTIME_ERROR), "", result.stderr)
        try:
            return self.compared(case, report, result.stderr)
        except KeyError:
            return Judged(Verdict.RUNTIME_ERROR, "", f"{result.stderr}\nIt ended before it was done.".lstrip())

    @abstractmethod
    def asked(self, problem: CodeProblem, case: Case) -> dict[str, Any]:
        """Return what the harness is to do."""

    @abstractmethod
    def compared(self, case: Case, report: dict[str, Any], error: str) -> Judged:
        """Return the verdict that follows from a report; raise `KeyError` where it lacks something."""


class Function(_Harnessed):
    """A function is called; its value comes out, and what is expected never goes in."""

    def asked(self, problem: CodeProblem, case: Case) -> dict[str, Any]:
        """Return the call."""
        return {"call": {"entry": problem.entry, "arguments": encode(list(case.input))}}

    def compared(self, case: Case, report: dict[str, Any], error: str) -> Judged:
        """Compare the value."""
        right = same_value(encode(case.expected), report["value"])
        return Judged(Verdict.ACCEPTED if right else Verdict.WRONG_ANSWER, written(report["value"]), error)


class Tests(_Harnessed):
    """A file of tests runs in the program's own process."""

    def asked(self, problem: CodeProblem, case: Case) -> dict[str, Any]:
        """Return the tests."""
        return {"test": {"tests": str(case.input), "by_pytest": bool(_PYTEST.search(str(case.input)))}}

    def compared(self, case: Case, report: dict[str, Any], error: str) -> Judged:
        """Require that there were tests and that none failed."""
        right = report["tests"] > 0 and report["failures"] == 0
        given = f"{report['failures']} of {report['tests']} tests failed"
        return Judged(Verdict.ACCEPTED if right else Verdict.WRONG_ANSWER, given, error)


STYLES: dict[str, Stdio | Function | Tests] = {"stdio": Stdio(), "function": Function(), "pytest": Tests()}


def written(encoded: Any) -> str:
    """Return a value as Python writes it, for the policy to read."""
    try:
        return repr(decode(encoded))
    except (TypeError, KeyError, ValueError, RecursionError):  # a program may report what the harness never would
        return json.dumps(encoded)


def _report(stdout: str, mark: str) -> dict[str, Any]:
    """Return what stands behind the mark; nothing where there is none, or something else beside it."""
    try:
        report = json.loads(stdout.removeprefix(mark)) if stdout.startswith(mark) else {}
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}
