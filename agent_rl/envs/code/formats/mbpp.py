"""MBPP: a task in a sentence, and a list of assertions; the sanitized rows call things otherwise."""

import ast

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import asserted
from agent_rl.envs.code.harness import MODULE
from agent_rl.envs.code.problem import Case, CodeProblem


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem: of style `function` where each assertion is a call with a literal as its value.

    The first assertion stands in the statement, which says by it what the function is called, and is the public test.
    """
    texts = [*row["test_list"], *(row.get("challenge_test_list") or [])]
    before = "\n".join([row.get("test_setup_code") or "", *(row.get("test_imports") or [])]).strip()
    entry = _entry(row["code"], texts[0])
    cases = None if before else asserted([ast.parse(text.strip()).body[0] for text in texts], entry)
    wrapped = [Case(f"{before}\nfrom {MODULE} import *\n\ndef test():\n    {text.strip()}\n") for text in texts]
    tests = tuple(cases or wrapped)
    return CodeProblem(
        id=f"mbpp-{row['task_id']}" if "task_id" in row else name,
        statement=f"{row.get('text') or row['prompt']}\n\nThis is to hold:\n\n```python\n{texts[0].strip()}\n```",
        style="function" if cases else "pytest",
        public=tests[:1],
        hidden=tests,
        entry=entry,
        solution=row["code"],
    )


def _entry(code: str, test: str) -> str:
    """Return the function of the solution that an assertion calls."""
    defined = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    used = [node.id for node in ast.walk(ast.parse(test.strip())) if isinstance(node, ast.Name) and node.id in defined]
    if not used:
        raise ValueError("the first of test_list calls no function of the code")
    return used[0]
