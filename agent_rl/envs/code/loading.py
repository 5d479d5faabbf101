"""Problems from where the settings say, by split."""

import functools
from pathlib import Path

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.rows import Row, numbered_rows
from agent_rl.core.seeds import derive
from agent_rl.envs.code.formats import FORMATS, Format
from agent_rl.envs.code.problem import CodeProblem
from agent_rl.envs.code.problems import builtin_problems

BUILTIN = "builtin"
_SPLITS = ("train", "test")


def problem_set(place: str, split: str, form: Format | None, test_share: float) -> dict[str, CodeProblem]:
    """Return the problems of a split by id.

    Args:
        place: `builtin`, or a file; with `{split}` in its name each split has a file of its own.
        split: "train" or "test".
        form: How the rows are written; None to see it from the columns of the first row.
        test_share: Share of the problems that "test" has, where one place holds both.

    Raises:
        UserError: There is no such split, or the file or a row cannot be read; the message names the line.
    """
    if split not in _SPLITS:
        raise UserError(f"unknown split '{split}'{nearest(split, _SPLITS)} (there are: {', '.join(_SPLITS)})")
    problems = _all_of(place, split, form)
    if "{split}" in place:
        return problems
    return {name: problem for name, problem in problems.items() if _split_of(name, test_share) == split}


def difficulties(place: str, form: Format | None) -> list[str]:
    """Return the difficulties that problems of a place have, of whatever split; see `problem_set`."""
    there = [split for split in _SPLITS if place == BUILTIN or _file(place, split).exists()]
    return sorted({problem.difficulty for split in there for problem in _all_of(place, split, form).values()} - {""})


def _all_of(place: str, split: str, form: Format | None) -> dict[str, CodeProblem]:
    if place == BUILTIN:
        return {problem.id: problem for problem in builtin_problems()}
    return read_problems(_file(place, split), form)


def _file(place: str, split: str) -> Path:
    return Path(place.replace("{split}", split)).expanduser()


@functools.cache
def read_problems(file: Path, form: Format | None) -> dict[str, CodeProblem]:
    """Return the problems of a file by id.

    Raises:
        UserError: It cannot be read or is empty, its format is not seen, or a row is none of that format.
    """
    problems: dict[str, CodeProblem] = {}
    for line, row in numbered_rows(file):
        try:
            if not isinstance(row, dict):
                raise ValueError(f"a problem is an object, this is a {type(row).__name__}")
            form = form or _seen(row)
            problem = FORMATS[form].problem(row, f"{file.stem}-{line}")
            if problem.id in problems:
                raise ValueError(f"the id '{problem.id}' is that of an earlier line already")
        except KeyError as error:
            raise UserError(f"{file}, line {line}: {form} needs the column {error}") from error
        except (ValueError, TypeError, AttributeError, SyntaxError, RecursionError) as error:
            raise UserError(f"{file}, line {line}: {form or 'problem'}: {error}") from error
        problems[problem.id] = problem
    if not problems:
        raise UserError(f"{file} has no problems")
    return problems


def _seen(row: Row) -> Format:
    for name, form in FORMATS.items():
        if all(row.get(column) is not None for column in form.columns):
            return name
    raise ValueError(f"no format has the columns {', '.join(row)}; say which it is with env.format")


def _split_of(name: str, test_share: float) -> str:
    return "test" if derive(0, "code/split", name) % 1000 < test_share * 1000 else "train"
