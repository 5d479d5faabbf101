"""Mutants of the reference solutions: how many of them the problems' tests notice. Run as a script; prints JSON."""

import ast
import contextlib
import copy
import io
import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from agent_rl.envs.code.problem import CodeProblem
from agent_rl.envs.code.problems import builtin_problems

SECONDS = 0.25
"""Of the processor, for all tests of a problem; solutions take a tenth. A mutant that runs on is noticed."""
_SWAPPED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_RENAMED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


def mutants(source: str) -> Iterator[str]:
    """Yield programs that differ from `source` in an operator, a small number or the name of a builtin."""
    count = len(list(ast.walk(ast.parse(source))))
    for at in range(count):
        tree = ast.parse(source)
        if _mutated(list(ast.walk(tree))[at]):
            yield ast.unparse(tree)


def _mutated(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPPED:
        node.ops[0] = _SWAPPED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in _SWAPPED:
        node.op = _SWAPPED[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node.op = ast.UAdd()
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
    elif isinstance(node, ast.Name) and node.id in _RENAMED:
        node.id = _RENAMED[node.id]
    else:
        return False
    return True


def passes(problem: CodeProblem, program: str) -> bool:
    """Return whether a program passes all tests of a problem."""
    code = compile(program, problem.id, "exec")
    if problem.style == "stdio":
        return all(_printed(code, case.input) == case.expected for case in (*problem.public, *problem.hidden))
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    solve = namespace[problem.entry]
    return all(same(solve(*copy.deepcopy(case.input)), case.expected) for case in (*problem.public, *problem.hidden))


def same(found: object, expected: object) -> bool:
    """Return whether a result is the expected one, floats up to rounding."""
    if isinstance(expected, float) and isinstance(found, int | float):
        return math.isclose(found, expected, abs_tol=1e-9)
    return type(found) is type(expected) and found == expected


def _printed(code: Any, text: str) -> str:
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, {})
    finally:
        sys.stdin = sys.__stdin__
    return out.getvalue()


def killed(problem: CodeProblem, mutant: str) -> bool:
    """Return whether the tests notice a mutant. It runs in a process of its own, because it may never end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        os._exit(0 if passes(problem, mutant) else 1)
    except BaseException:
        os._exit(1)


def main(stride: int) -> None:
    """Print how many mutants of each problem were killed and how many tried: all until the first kill, then some.

    Args:
        stride: Of the mutants after the first kill every how many-th is tried.
    """
    counts: dict[str, list[int]] = {}
    for problem in builtin_problems():
        count = counts[problem.id] = [0, 0]
        for at, mutant in enumerate(mutants(problem.solution)):
            if not count[0] or at % stride == 0:
                count[0] += killed(problem, mutant)
                count[1] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main(int(sys.argv[1]))
