"""Our own rows: the fields of `CodeProblem` as they are called there, each case with `input` and `expected`."""

from dataclasses import fields
from typing import Any, get_args

from agent_rl.core.errors import nearest
from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import parsed
from agent_rl.envs.code.problem import Case, CodeProblem, Style

_COLUMNS = tuple(field.name for field in fields(CodeProblem))
_NEEDS: dict[Style, str] = {
    "stdio": "texts as 'input' and 'expected'",
    "function": "a list of arguments as 'input' and a value as 'expected'",
    "pytest": "a text as 'input'",
}


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem; `public` may be missing, `style` is `stdio` where it is; other columns are refused."""
    for column, value in row.items():
        if column not in _COLUMNS and value is not None:
            raise ValueError(f"unknown column '{column}'{nearest(column, _COLUMNS)} (there are: {', '.join(_COLUMNS)})")
    style: Style = row.get("style") or "stdio"
    if style not in get_args(Style):
        raise ValueError(f"style must be one of {', '.join(get_args(Style))}, not {style!r}")
    hidden = _cases(row["hidden"], style)
    if not hidden:
        raise ValueError("there are no hidden tests")
    if style == "function" and not row.get("entry"):
        raise ValueError("style function needs the column 'entry'")
    if style != "stdio" and row.get("language") not in (None, "", "python"):
        raise ValueError(f"style {style} needs Python, not the language {row['language']!r}")
    if not isinstance(row["statement"], str):
        raise ValueError("the statement must be a text")
    return CodeProblem(
        id=str(row.get("id") or name),
        statement=row["statement"],
        style=style,
        public=_cases(row.get("public") or [], style),
        hidden=hidden,
        entry=row.get("entry") or "",
        solution=row.get("solution") or "",
        difficulty=row.get("difficulty") or "",
        language=row.get("language") or "python",
    )


def _cases(given: Any, style: Style) -> tuple[Case, ...]:
    """Return cases; parquet files, whose columns are of one type, may hold them as JSON in a text."""
    return tuple(_case(case, style) for case in parsed(given))


def _case(given: Any, style: Style) -> Case:
    if not isinstance(given, dict):
        raise ValueError(f"a test is an object, this is a {type(given).__name__}")
    case = Case(given.get("input"), given.get("expected"))
    if style == "function":
        right = isinstance(case.input, list) and "expected" in given
    else:
        right = isinstance(case.input, str) and (style == "pytest" or isinstance(case.expected, str))
    if not right:
        raise ValueError(f"style {style} needs {_NEEDS[style]} in each test")
    return case
