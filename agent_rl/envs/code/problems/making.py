"""How a problem is written, and how it becomes a `CodeProblem`: statement, solution and tests from one function."""

import ast
import copy
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from types import ModuleType
from typing import Any, Literal

from agent_rl.core.seeds import derive
from agent_rl.envs.code.problem import Case, CodeProblem

Draw = Callable[[Random], Any]
"""Makes an input: a list of arguments, or the text of standard input."""
PUBLIC = 2
"""Cases that are shown."""
DRAWN = 12
"""Hidden cases that are drawn, besides the written ones."""
_TRIES = 400


@dataclass(frozen=True)
class Recipe:
    """A problem as it is written: the solved function, and where its tests come from. See `problem`."""

    solve: Callable[..., Any]
    difficulty: str
    draw: Draw
    cases: Sequence[Any]
    large: Draw | None
    style: Literal["function", "stdio"]


def problem(
    difficulty: Literal["easy", "medium", "hard"],
    draw: Draw,
    cases: Sequence[Any],
    *,
    large: Draw | None = None,
    style: Literal["function", "stdio"] = "function",
) -> Callable[[Callable[..., Any]], Recipe]:
    """Make a problem of a function that solves it.

    The function stands alone: it imports what it needs, from the standard library only. Its docstring says what is
    asked, which inputs there are and what happens at the edges; the examples are added.

    Args:
        difficulty: An easy one is a direct loop, a medium one wants an idea, a hard one an algorithm.
        draw: Draws an input. It is called until enough different ones are found.
        cases: Inputs written by hand; the first `PUBLIC` are shown as examples, the rest are edges.
        large: Draws one more input on which a program that tries everything does not end in time.
        style: `function` gets a list of arguments and returns a JSON value; `stdio` gets and returns a text.
    """

    def wrap(solve: Callable[..., Any]) -> Recipe:
        return Recipe(solve, difficulty, draw, cases, large, style)

    return wrap


def build(module: ModuleType) -> list[CodeProblem]:
    """Return the problems of a topic, in the order in which they are written."""
    topic = module.__name__.rpartition(".")[2]
    texts = _solutions(inspect.getsource(module))
    recipes = [value for value in vars(module).values() if isinstance(value, Recipe)]
    return [_built(recipe, topic, texts[recipe.solve.__name__]) for recipe in recipes]


def _built(recipe: Recipe, topic: str, solution: str) -> CodeProblem:
    name = recipe.solve.__name__
    cases = [_case(recipe, given) for given in _inputs(recipe, Random(derive(0, "code", name)))]
    stdio = recipe.style == "stdio"
    return CodeProblem(
        id=f"{topic}/{name}",
        statement=_statement(recipe, cases[:PUBLIC]),
        style=recipe.style,
        public=tuple(cases[:PUBLIC]),
        hidden=tuple(cases[PUBLIC:]),
        entry="" if stdio else name,
        solution=f"import sys\n\n\n{solution}\n\nprint({name}(sys.stdin.read()))\n" if stdio else solution,
        difficulty=recipe.difficulty,
    )


def _inputs(recipe: Recipe, rng: Random) -> list[Any]:
    """Return the written inputs, different drawn ones, and the large one."""
    found = {json.dumps(given): given for given in recipe.cases}
    wanted = len(recipe.cases) + DRAWN
    for _ in range(_TRIES):
        given = recipe.draw(rng)
        found.setdefault(json.dumps(given), given)
        if len(found) == wanted:
            break
    else:
        raise ValueError(f"{recipe.solve.__name__} has too few different cases")
    return [*found.values(), *([recipe.large(rng)] if recipe.large else [])]


def _case(recipe: Recipe, given: Any) -> Case:
    if recipe.style == "stdio":
        return Case(given, recipe.solve(given) + "\n")
    return Case(given, recipe.solve(*copy.deepcopy(given)))


def _statement(recipe: Recipe, examples: Sequence[Case]) -> str:
    name, task = recipe.solve.__name__, inspect.getdoc(recipe.solve)
    if recipe.style == "stdio":
        blocks = [f"Input:\n{case.input}Output:\n{case.expected}" for case in examples]
        head = "Write a program that reads standard input and writes to standard output."
    else:
        blocks = [f"{name}({', '.join(map(repr, case.input))}) == {case.expected!r}\n" for case in examples]
        head = f"Write a function `{name}{inspect.signature(recipe.solve)}`."
    return f"{head}\n\n{task}\n\nExamples:\n\n" + "\n".join(blocks)


def _solutions(source: str) -> dict[str, str]:
    """Return the text of each function of a module, without its decorator and docstring."""
    lines, texts = source.splitlines(), {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            docstring = node.body[0]
            kept = lines[node.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : node.end_lineno]
            texts[node.name] = "\n".join(kept) + "\n"
    return texts
