"""Comparisons as one HTML page that needs no other file, no script and no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from agent_rl.core.files import write_text_atomic
from agent_rl.core.text import printable
from agent_rl.evaluation.comparison.compare import Comparison, Row
from agent_rl.evaluation.comparison.text import about, cells, left_out, p_value, short_p, summary, won_and_lost
from agent_rl.evaluation.curves import ticks
from agent_rl.evaluation.tables import number

_LISTED = 20  # tasks won, and tasks lost


def write_page(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write a page on comparisons with the same A.

    Raises:
        StorageError: The file cannot be written.
    """
    loader = jinja2.PackageLoader("agent_rl.evaluation.comparison", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"printable": _shown}
    page = environment.get_template("page.html.jinja").render(
        a=comparisons[0].a,
        metric=comparisons[0].metric,
        summary=summary(comparisons) if len(comparisons) > 1 else None,
        comparisons=[_section(comparison) for comparison in comparisons],
    )
    write_text_atomic(path, page.encode("utf-8", "replace").decode())


def _section(comparison: Comparison) -> dict[str, Any]:
    """Return what the page says of one comparison."""
    metric, pair = comparison.metric, comparison.row.paired
    return {
        "a": comparison.a,
        "b": comparison.b,
        "about": [about(comparison.a), about(comparison.b)],
        "notes": [*comparison.warnings, *left_out(comparison)],
        "values": [number(metric, comparison.row.a), number(metric, comparison.row.b)],
        "difference": number(metric, pair.difference, sign=True),
        "ends": [number(metric, end, sign=True) for end in (pair.low, pair.high)],
        "p": p_value(pair.p),
        "tone": _tone(comparison.row),
        "tasks": comparison.tasks,
        "won_and_lost": won_and_lost(comparison),
        "forest": _forest(metric, {"": {"all tasks": comparison.row}} | comparison.by),
        "stops": _forest("stop/", {"": {row.name.removeprefix("stop/"): row for row in comparison.stops}}),
        "figures": [cells(row) for row in [comparison.row, *comparison.figures]],
        "changes": [
            (title, len(changes), [(change, *(number(metric, x) for x in (change.a, change.b))) for change in shown])
            for title, changes in (("B higher", comparison.won), ("B lower", comparison.lost))
            if (shown := changes[:_LISTED])
        ],
    }


def _forest(metric: str, groups: Mapping[str, Mapping[str, Row]]) -> dict[str, Any]:
    """Return the rows of a forest plot, each end as a percentage of its width, and the ticks below."""
    rows = [(group, name, row) for group, found in groups.items() for name, row in found.items()]
    ends = [end for *_, row in rows for end in (row.paired.low, row.paired.high)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    margin = 0.05 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    return {
        "zero": place(0.0),
        "ticks": [(place(tick), f"{tick:+.4g}" if tick else "0") for tick in ticks(low, high)],
        "rows": [
            {
                "name": f"{group} = {name}" if group else name,
                "tasks": row.paired.tasks,
                "places": [place(end) for end in (row.paired.low, row.paired.difference, row.paired.high)],
                "values": [number(metric, row.a), number(metric, row.b)],
                "difference": number(metric, row.paired.difference, sign=True),
                "ends": [number(metric, end, sign=True) for end in (row.paired.low, row.paired.high)],
                "p": short_p(row.paired.p if row.holm is None else row.holm),
                "tone": _tone(row),
            }
            for group, name, row in rows
        ],
    }


def _tone(row: Row) -> str:
    """Return whether B is clearly higher, clearly lower, or neither."""
    p = row.paired.p if row.holm is None else row.holm
    return "even" if p >= 0.05 else "up" if row.paired.difference > 0 else "down"


def _shown(text: str) -> str:
    """Return text with its line ends, and control characters as escapes."""
    return "\n".join(map(printable, str(text).split("\n")))
