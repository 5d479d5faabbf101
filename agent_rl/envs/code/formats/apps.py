"""APPS: programs that read and write, or functions; tests and solutions are JSON in texts."""

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import PUBLIC, calls_and_values, parsed
from agent_rl.envs.code.problem import CodeProblem


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem; the first tests, which the statement mostly shows, are public."""
    tests = parsed(row["input_output"])
    cases = tuple(calls_and_values(tests))
    starter = (row.get("starter_code") or "").strip()
    solutions = parsed(row.get("solutions") or "[]")
    number = row.get("problem_id", row.get("id"))
    return CodeProblem(
        id=name if number is None else f"apps-{number}",
        statement=f"{row['question']}\n\nBegin with:\n\n```python\n{starter}\n```" if starter else row["question"],
        style="function" if tests.get("fn_name") else "stdio",
        public=cases[:PUBLIC],
        hidden=cases,
        entry=tests.get("fn_name") or "",
        solution=solutions[0] if solutions else "",
        difficulty=row.get("difficulty") or "",
    )
