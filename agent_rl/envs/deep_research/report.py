"""Reports and how they are judged: line by line against the passages that were read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MARK = "Report:"
_LINE = re.compile(r"(?:[-*•]|\d+[.)])?\s*(?P<statement>.*?)\s*\[(?P<number>\d{1,9})\]\.?")


@dataclass(frozen=True)
class Judgement:
    """What a report is worth, in shares between 0 and 1.

    Attributes:
        coverage: Of the facts that are asked for, those that are stated with their number.
        unsupported: Of the lines, those without a number, or that say something else than the passage of that number,
            or whose passage was never read.
        unneeded: Of the lines, those that are right but not asked for, or there already.
    """

    coverage: float
    unsupported: float
    unneeded: float


def written(passages: Mapping[int, str]) -> str:
    """Return the report that states these passages, by number."""
    return "\n".join([MARK, *(f"{passage} [{number}]" for number, passage in passages.items())])


def judged(text: str, required: set[int], read: Mapping[int, str]) -> Judgement:
    """Return what the report in `text` is worth.

    Args:
        text: What was said last; the report is what follows the last `Report:`, a fact a line.
        required: The numbers of the facts that are asked for.
        read: The passages that were read, by number.
    """
    _, mark, report = text.rpartition(MARK)
    lines = [line.strip() for line in report.splitlines() if line.strip()] if mark else []
    cited = [number for line in lines if (number := _supported(line, read)) is not None]
    covered = set(cited) & required
    count = max(1, len(lines))
    return Judgement(
        coverage=len(covered) / len(required),
        unsupported=(len(lines) - len(cited)) / count,
        unneeded=(len(cited) - len(covered)) / count,
    )


def numbers(text: str) -> set[int]:
    """Return the numbers that the lines of a report cite."""
    return {int(found["number"]) for line in text.splitlines() if (found := _LINE.fullmatch(line.strip()))}


def _supported(line: str, read: Mapping[int, str]) -> int | None:
    """Return the number that a line cites if it says what the passage of that number says, which was read."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    number = int(found["number"])
    return number if number in read and _plain(read[number]) == _plain(found["statement"]) else None


def _plain(text: str) -> str:
    return " ".join(text.split()).removesuffix(".").casefold()
