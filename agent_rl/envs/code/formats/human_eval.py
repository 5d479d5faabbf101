"""HumanEval: a function to complete, and a function `check` full of assertions."""

import ast
import doctest

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import asserted, called
from agent_rl.envs.code.harness import MODULE, encode
from agent_rl.envs.code.problem import Case, CodeProblem


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem: of style `function` where each assertion is a call with a literal as its value.

    The public tests are the examples of the prompt that can be read so.
    """
    prompt, entry = row["prompt"], row["entry_point"]
    hidden = _checked(row["test"])
    tests = f"{row['test']}\n\nfrom {MODULE} import {entry}\n\ndef test():\n    check({entry})\n"
    return CodeProblem(
        id=str(row.get("task_id", name)),
        statement=f"Complete the function `{entry}`.\n\n```python\n{prompt.rstrip()}\n```",
        style="function" if hidden else "pytest",
        public=tuple(_examples(prompt, entry)) if hidden else (),
        hidden=tuple(hidden) if hidden else (Case(tests),),
        entry=entry,
        solution=prompt + row["canonical_solution"] if row.get("canonical_solution") else "",
    )


def _checked(test: str) -> list[Case] | None:
    """Return the cases of `check`, where it consists of assertions that can be read."""
    for statement in ast.parse(test).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "check":
            return asserted(statement.body, statement.args.args[0].arg)
    raise ValueError("the test has no function 'check'")


def _examples(prompt: str, entry: str) -> list[Case]:
    cases = []
    try:
        functions = [node for node in ast.parse(f"{prompt}\n    pass").body if isinstance(node, ast.FunctionDef)]
        text = next(ast.get_docstring(function) for function in functions if function.name == entry)
        examples = doctest.DocTestParser().get_examples(text or "")
    except (SyntaxError, StopIteration, ValueError):  # examples are laid out in many ways
        return []
    for example in examples:
        try:
            arguments = called(ast.parse(example.source.strip(), mode="eval").body, entry)
            expected = ast.literal_eval(example.want.strip())
            encode([arguments, expected])
        except (ValueError, TypeError, SyntaxError):
            continue
        if arguments is not None:
            cases.append(Case(arguments, expected))
    return cases
