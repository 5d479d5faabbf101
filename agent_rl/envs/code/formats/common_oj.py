"""CommonOJ, as Sandbox Fusion reads it: a statement, and tests of standard input and output."""

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import PUBLIC, parsed
from agent_rl.envs.code.problem import Case, CodeProblem


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem, in the language that its labels name; the first tests are public."""
    labels = parsed(row.get("labels") or "{}")
    tests = parsed(row["test"])
    cases = tuple(Case(test["input"].get("stdin", ""), test["output"]["stdout"]) for test in tests)
    if not cases:
        raise ValueError("there are no tests")
    return CodeProblem(
        id=str(row.get("id", name)),
        statement=row["content"],
        style="stdio",
        public=cases[:PUBLIC],
        hidden=cases,
        difficulty=str(labels.get("difficulty") or ""),
        language=labels.get("programming_language") or "python",
    )
