"""What the formats share: tests in the shape of inputs and outputs, and cases out of assertions."""

import ast
import json
from collections.abc import Sequence
from typing import Any

from agent_rl.envs.code.harness import encode
from agent_rl.envs.code.problem import Case

PUBLIC = 2
"""Tests that the policy may run where a data set does not say which; they count in the end too."""


def parsed(value: Any) -> Any:
    """Return what JSON in a text says, or the value where it is no text; raise `ValueError` where it cannot be read."""
    return json.loads(value) if isinstance(value, str) else value


def calls_and_values(tests: dict[str, Any]) -> list[Case]:
    """Return cases of `inputs` and `outputs`: of lists of arguments where there is a `fn_name`, else of texts.

    Values of functions are often each in a list of its own; they are taken out where that is so of all.
    """
    inputs, outputs = tests["inputs"], tests["outputs"]
    if len(inputs) != len(outputs) or not inputs:
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    if not tests.get("fn_name"):
        return [Case(_text(given), _text(expected)) for given, expected in zip(inputs, outputs, strict=True)]
    if all(isinstance(value, list) and len(value) == 1 for value in outputs):
        outputs = [value[0] for value in outputs]
    return [Case(list(given), expected) for given, expected in zip(inputs, outputs, strict=True)]


def asserted(statements: Sequence[ast.stmt], name: str) -> list[Case] | None:
    """Return the cases of assertions `name(literals) == literal`; None where a statement is something else.

    `assert True`, which data sets write between the others, asserts nothing.
    """
    cases = []
    for statement in statements:
        if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Constant) and statement.test.value:
            continue
        case = _case(statement.test, name) if isinstance(statement, ast.Assert) else None
        if case is None:
            return None
        cases.append(case)
    return cases


def called(call: ast.expr, name: str) -> list[Any] | None:
    """Return the arguments of `name(literals)`; None where it is something else."""
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name):
        return None
    if call.keywords:
        return None
    try:
        return [ast.literal_eval(argument) for argument in call.args]
    except (ValueError, TypeError):
        return None


def _case(test: ast.expr, name: str) -> Case | None:
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is)):
        return None
    arguments = called(test.left, name)
    try:
        expected = ast.literal_eval(test.comparators[0])
        encode([arguments, expected])
    except (ValueError, TypeError):
        return None
    return None if arguments is None else Case(arguments, expected)


def _text(value: Any) -> str:
    """Return a text that may be given as the list of its lines."""
    return value if isinstance(value, str) else "\n".join(map(str, value)) if isinstance(value, list) else str(value)
