"""Our own rows: the fields of `CodeProblem` as they are called there, each case with `input` and `expected`."""

from typing import Any, get_args

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import parsed
from agent_rl.envs.code.problem import Case, CodeProblem, Style


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem; `public` may be missing, `style` is `stdio` where it is."""
    style: Style = row.get("style") or "stdio"
    if style not in get_args(Style):
        raise ValueError(f"style must be one of {', '.join(get_args(Style))}, not {style!r}")
    hidden = _cases(row["hidden"])
    if not hidden:
        raise ValueError("there are no hidden tests")
    if style == "function" and not (row.get("entry") and all(isinstance(case.input, list) for case in hidden)):
        raise ValueError("style function needs the column 'entry', and a list of arguments as each input")
    return CodeProblem(
        id=str(row.get("id") or name),
        statement=row["statement"],
        style=style,
        public=_cases(row.get("public") or []),
        hidden=hidden,
        entry=row.get("entry") or "",
        solution=row.get("solution") or "",
        difficulty=row.get("difficulty") or "",
        language=row.get("language") or "python",
    )


def _cases(given: Any) -> tuple[Case, ...]:
    """Return cases; parquet files, whose columns are of one type, may hold them as JSON in a text."""
    return tuple(Case(case["input"], case.get("expected")) for case in parsed(given))
