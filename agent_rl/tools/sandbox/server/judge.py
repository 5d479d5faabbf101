"""`/submit`: the code in a model's text against tests of standard input and output, as CommonOJ has them."""

import re
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from agent_rl.clients.fusion_messages import SubmitAnswer, SubmitConfig, SubmitRequest, TestAnswer
from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Sandbox, Status
from agent_rl.tools.sandbox.fusion.languages import COMPILED
from agent_rl.tools.sandbox.server.running import ServedLimits, answer, language

Extracted = Literal["fenced", "incomplete_fenced", "heuristic", "empty"]
_DATASET = "CommonOJDataset"
_EXTRA = frozenset({"run_all_cases", "return_full_case"})
_SHOWN = 1000  # characters of a test's input and output that are given back
_NEAR = 1e-5
_ALIASES = {
    "python": {"py", "python3"},
    "cpp": {"c++"},
    "nodejs": {"javascript", "js", "node"},
    "bash": {"sh", "shell"},
    "rust": {"rs"},
}
_FENCED = re.compile(r"```([^\n`]*)\n(?:(.*?)\n[ \t]*```|(.*)\Z)", re.DOTALL)


class _Input(BaseModel, extra="forbid"):
    stdin: str


class _Output(BaseModel, extra="forbid"):
    stdout: str


class _Test(BaseModel, extra="forbid"):
    input: _Input
    output: _Output


_Tests = TypeAdapter(list[_Test])


async def judge(sandbox: Sandbox, request: SubmitRequest, limits: ServedLimits) -> tuple[SubmitAnswer, list[Result]]:
    """Return the verdict on a completion, and the runs that led to it.

    Raises:
        UserError: The request asks for something that is not done here.
        InfrastructureError: The sandbox failed, so that there is no verdict.
    """
    config = request.config
    tests, name = _tests(config), str(config.language)
    code, extracted = extract(request.completion, name)
    program = Program(code, language(name), limits=_limits(config, limits))
    results = await _results(sandbox, program, tests, to_the_end=bool(config.extra.get("run_all_cases")))
    answers = []
    for test, result in zip(tests, results, strict=False):
        passed = passes(result, test.output.stdout)
        shown = test.model_dump() if config.extra.get("return_full_case") or not passed else _short(test)
        answers.append(TestAnswer(passed=passed, exec_info=answer(result), test_info=shown))
        if not passed and not config.extra.get("run_all_cases"):
            break
    accepted = all(answer.passed for answer in answers)
    verdict = SubmitAnswer(
        id=request.id, accepted=accepted, extracted_code=code, tests=answers, extracted_type=extracted
    )
    return verdict, results


def passes(result: Result, expected: str) -> bool:
    """Return whether a run said what was expected.

    The contract's comparison: line by line, without the space around a line, upper case like lower case, and a number
    as near as 1e-5 of the expected one.

    Raises:
        InfrastructureError: The sandbox failed.
    """
    if result.checked().status is not Status.FINISHED:
        return False
    said, wanted = (text.strip().lower().split("\n") for text in (result.stdout, expected))
    return len(said) == len(wanted) and all(map(_same, said, wanted))


def extract(completion: str, name: str) -> tuple[str, Extracted]:
    """Return the program in a model's text, and how it was found.

    It is the first block between fences that names the language `name`, else the first of any; a block without its
    closing fence counts where there is no other. A text without fences is taken for a program as a whole.
    """
    blocks = list(_FENCED.finditer(completion))
    whole = [block for block in blocks if block[2] is not None]
    named = {name.lower()} | _ALIASES.get(name, set())
    for block in sorted(whole or blocks, key=lambda block: block[1].strip().lower() not in named):
        return (block[2], "fenced") if whole else (block[3], "incomplete_fenced")
    return completion, "heuristic" if completion.strip() else "empty"


def _tests(config: SubmitConfig) -> list[_Test]:
    """Return the tests of a request; raise `UserError` where it asks for what is not done here."""
    if config.dataset_type != _DATASET or not isinstance(config.provided_data, dict):
        raise UserError(f"there are no data sets here: config.provided_data of dataset_type={_DATASET} is judged")
    if config.custom_extract_logic is not None:
        raise UserError("config.custom_extract_logic is not run here")
    if config.language is None:
        raise UserError("config.language is missing")
    if unknown := sorted(set(config.extra) - _EXTRA):
        raise UserError(f"config.extra has what is unknown here: {', '.join(unknown)}")
    given = config.provided_data.get("test")
    try:
        tests = _Tests.validate_json(given) if isinstance(given, str) else _Tests.validate_python(given)
    except ValidationError as error:
        raise UserError(f"config.provided_data.test: {error}") from error
    if not tests:
        raise UserError("config.provided_data.test is empty")
    return tests


async def _results(sandbox: Sandbox, program: Program, tests: list[_Test], to_the_end: bool) -> list[Result]:
    """Return the runs of all tests, or of the first alone: a program that is wrong is mostly so there.

    What is compiled runs all of them, so that it is compiled once.
    """
    inputs = [test.input.stdin for test in tests]
    if program.language in COMPILED:
        return await sandbox.run_each(program, inputs)
    first = await sandbox.run(program, inputs[0])
    if not tests[1:] or not (to_the_end or passes(first, tests[0].output.stdout)):
        return [first]
    return [first, *await sandbox.run_each(program, inputs[1:])]


def _limits(config: SubmitConfig, limits: ServedLimits) -> Limits:
    compiled = language(str(config.language)) in COMPILED
    seconds = config.run_timeout or (10.0 if compiled else 20.0)
    return limits.of(seconds=seconds, compile_seconds=config.compile_timeout or 10.0)


def _short(test: _Test) -> dict[str, Any]:
    """Return a test for an answer, without what makes it long."""

    def cut(text: str) -> str:
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text)} characters)"

    return {"input": {"stdin": cut(test.input.stdin)}, "output": {"stdout": cut(test.output.stdout)}}


def _same(said: str, wanted: str) -> bool:
    if said.strip() == wanted.strip():
        return True
    try:
        number, expected = float(said), float(wanted)
    except ValueError:
        return False
    return abs(number - expected) < _NEAR * max(abs(expected), 1e-10)
