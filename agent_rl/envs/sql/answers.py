"""Answers as values: written for the gold answer, read from the policy's, and compared."""

import math
import re
from collections.abc import Sequence

from agent_rl.envs.sql.database import Row

Cell = str | float
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_BULLET = re.compile(r"[-*]\s+")  # a minus sign stands close to its number
PLACES = 2
"""Digits after the point to which a number must be right."""


def written(rows: Sequence[Row]) -> str:
    """Return rows as an answer: values parted by `; `, the values of a pair by ` = `."""
    return "; ".join(" = ".join(_shown(value) for value in row) for row in rows)


def matches(answer: str, rows: Sequence[Row], ordered: bool) -> bool:
    """Return whether an answer has the values of `rows`, in their order if it matters.

    Rows may be parted by `;`, by line breaks or, where no number has thousands parted so, by commas; the values of a
    pair by `=`, `:` or `|`. Letter case, quotes and a full stop at the end do not matter; a number is right when it is
    so to two digits after the point.
    """
    gold = [tuple(_cell(_shown(value)) for value in row) for row in rows]
    return any(_same(read, gold, ordered) for read in _readings(answer))


def _readings(answer: str) -> list[list[tuple[Cell, ...]]]:
    text = answer.strip().rstrip(".").strip().strip("[](){}")
    patterns = [r"[;\n]"] if ";" in text or "\n" in text else [r"[;\n]", r",\s*(?:and\s)?|\sand\s"]
    return [[_pair(part) for part in re.split(pattern, text) if part.strip()] for pattern in patterns]


def _pair(text: str) -> tuple[Cell, ...]:
    return tuple(_cell(part) for part in re.split(r"[=:|]", _BULLET.sub("", text.strip()).strip("|()*")))


def _cell(text: str) -> Cell:
    bare = text.strip().strip("'\"`").strip()
    if _THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    return float(bare) if _NUMBER.fullmatch(bare) else " ".join(bare.split()).casefold()


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.{PLACES}f}".rstrip("0").rstrip(".")


def _same(read: list[tuple[Cell, ...]], gold: list[tuple[Cell, ...]], ordered: bool) -> bool:
    if not ordered:
        read, gold = sorted(read, key=_rank), sorted(gold, key=_rank)
    return len(read) == len(gold) and all(
        len(one) == len(other) and all(map(_alike, one, other)) for one, other in zip(read, gold, strict=True)
    )


def _rank(row: tuple[Cell, ...]) -> str:
    return repr(row)


def _alike(one: Cell, other: Cell) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=0.51 * 10**-PLACES)
    return one == other
