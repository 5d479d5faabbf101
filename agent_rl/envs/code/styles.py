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
_PYTEST = re.compile(r"\bimport pytest\b|\bTestCase\b|^class Test|^def test\w*\((?!\))", re.MULTILINE)


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
        text: str = case.input
        return text

    def length(self, case: Case) -> int:
        """Return how many bytes a right program writes."""
        return len(case.expected.encode(errors="surrogatepass"))

    def judged(self, case: Case, result: Result, stdin: str) -> Judged:
        """Return the verdict of a run that ended by itself, on the input that it was handed."""
        verdict = Verdict.ACCEPTED
        if result.status is Status.ERROR:
            broken = result.stderr.rstrip().rpartition("\n")[2].startswith(_SYNTAX)
            verdict = Verdict.COMPILE_ERROR if broken else Verdict.RUNTIME_ERROR
        elif not same_output(case.expected, result.stdout):
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

    def length(self, case: Case) -> int:
        """Return how many bytes its value has in a report."""
        return len(json.dumps(encode(case.expected)))

    def judged(self, case: Case, result: Result, stdin: str) -> Judged:
        """Judge the report; a run that ended without one has failed, however it ended.

        A program may find the mark, and report what it likes.
        """
        mark = json.loads(stdin)["mark"]
        try:
            report = json.loads(result.stdout.removeprefix(mark)) if result.stdout.startswith(mark) else {}
            if "failed" in report:
                return Judged(_FAILED.get(report["failed"], Verdict.RUNTIME_ERROR), "", result.stderr)
            right, given = self.compared(case, report)
        except (LookupError, TypeError, ValueError, RecursionError):
            return Judged(Verdict.RUNTIME_ERROR, "", f"{result.stderr}\nIt ended before it was done.".lstrip())
        return Judged(Verdict.ACCEPTED if right else Verdict.WRONG_ANSWER, given, result.stderr)

    @abstractmethod
    def asked(self, problem: CodeProblem, case: Case) -> dict[str, Any]:
        """Return what the harness is to do."""

    @abstractmethod
    def compared(self, case: Case, report: dict[str, Any]) -> tuple[bool, str]:
        """Return whether a report is right, and what was given, as the policy may read it.

        Raises:
            LookupError, TypeError, ValueError, RecursionError: It is no report that the harness would write.
        """


class Function(_Harnessed):
    """A function is called; its value comes out, and what is expected never goes in."""

    def asked(self, problem: CodeProblem, case: Case) -> dict[str, Any]:
        """Return the call."""
        return {"call": {"entry": problem.entry, "arguments": encode(list(case.input), tuples=True)}}

    def compared(self, case: Case, report: dict[str, Any]) -> tuple[bool, str]:
        """Compare the value."""
        return same_value(encode(case.expected), report["value"]), written(report["value"])


class Tests(_Harnessed):
    """A file of tests runs in the program's own process."""

    def asked(self, problem: CodeProblem, case: Case) -> dict[str, Any]:
        """Return the tests."""
        return {"test": {"tests": case.input, "by_pytest": needs_pytest(case.input)}}

    def compared(self, case: Case, report: dict[str, Any]) -> tuple[bool, str]:
        """Require that there were tests and that none failed."""
        tests, failures = report["tests"], report["failures"]
        return tests > 0 and failures == 0, f"{failures} of {tests} tests failed"


AnyStyle = Stdio | Function | Tests
STYLES: dict[str, AnyStyle] = {"stdio": Stdio(), "function": Function(), "pytest": Tests()}


def written(encoded: Any) -> str:
    """Return a value as Python writes it, for the policy to read; whole numbers of thousands of digits as they come."""
    try:
        return repr(decode(encoded))
    except ValueError:  # Python writes no numbers of more digits
        return json.dumps(encoded)


def needs_pytest(tests: str) -> bool:
    """Return whether a file of tests has more than functions without parameters."""
    return bool(_PYTEST.search(tests))
