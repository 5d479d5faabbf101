"""Comparisons in words and tables."""

from collections.abc import Iterator, Sequence

from agent_rl.core.text import printable
from agent_rl.evaluation.comparison.compare import Change, Comparison, Row
from agent_rl.evaluation.comparison.sides import Side
from agent_rl.evaluation.statistics import holm
from agent_rl.evaluation.tables import Table, number

_TWICE = ("pass@1", "pass^1")  # what the success tells
_LISTED = 5  # tasks won, and tasks lost
_NAMED = 5  # tasks that one side alone has
_WIDE = 90  # characters of what was asked


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield what was compared and what came out, in sentences; nothing that a model wrote can steer the terminal."""
    a, b = comparison.a, comparison.b
    yield from (printable(line) for line in (f"A  {about(a)}", f"B  {about(b)}"))
    yield from (printable(f"warning: {warning}") for warning in comparison.warnings)
    yield from (printable(line) for line in left_out(comparison))
    yield ""
    yield verdict(comparison)
    yield won_and_lost(comparison)


def about(side: Side) -> str:
    """Return what was measured on a side, and what is in no figure of it."""
    found, results = side.results.subject, side.results
    episodes = f"{found.n} {'episode' if found.n == 1 else 'episodes'} a task"
    told = (
        f"{side.label}: {found.env} {found.split}, model {found.model}, {episodes} at temperature {found.temperature:g}"
    )
    causes = ", ".join(f"{count} x {cause}" for cause, count in results.failures_by_cause.items())
    return f"{told}; {results.failures} failed" + (f", in no figure ({causes})" if causes else "")


def verdict(comparison: Comparison) -> str:
    """Return the outcome in a sentence."""
    pair, name = comparison.row.paired, comparison.metric
    low, high = number(name, pair.low, sign=True), number(name, pair.high, sign=True)
    clear = "" if pair.p < 0.05 else ", which chance explains as well"
    return (
        f"{name}: A {number(name, comparison.row.a)}, B {number(name, comparison.row.b)}, difference "
        f"{number(name, pair.difference, sign=True)} (95 % interval {low} to {high}), {p_value(pair.p)} by the "
        f"paired bootstrap over {comparison.tasks} tasks{clear}"
    )


def won_and_lost(comparison: Comparison) -> str:
    """Return on how many tasks B is higher and lower, and McNemar's p-value."""
    won, lost = len(comparison.won), len(comparison.lost)
    alike = comparison.tasks - won - lost
    return (
        f"tasks: B higher on {won}, lower on {lost}, equal on {alike}; {p_value(comparison.mcnemar)} by McNemar's test"
    )


def left_out(comparison: Comparison) -> Iterator[str]:
    """Yield the tasks that one side alone has."""
    for letter, tasks in (("A", comparison.only_a), ("B", comparison.only_b)):
        if tasks:
            more = ", …" if len(tasks) > _NAMED else ""
            count = f"{len(tasks)} {'task has' if len(tasks) == 1 else 'tasks have'}"
            yield f"left out: {count} usable episodes in {letter} alone ({', '.join(tasks[:_NAMED])}{more})"


def tables(comparison: Comparison) -> list[Table]:
    """Return the figures, the metric by attribute, the stop reasons, and the tasks that changed most."""
    shown = [row for row in comparison.figures if row.name not in _TWICE and not row.name.startswith("avg@")]
    made = [
        Table("figures over the tasks that both have", (*_HEADER, "p"), [cells(r) for r in [comparison.row, *shown]])
    ]
    for name, rows in comparison.by.items():
        header = (name, "tasks", *_HEADER[1:], "p", "p (Holm)")
        title = f"{comparison.metric} by {name}"
        made.append(Table(title, header, [_part(comparison.metric, row) for row in rows.values()]))
    if comparison.stops:
        stops = [_named(row) for row in comparison.stops]
        made.append(Table("how episodes ended, shares", ("reason", *_HEADER[1:], "p", "p (Holm)"), stops))
    for title, changes in (("B higher", comparison.won), ("B lower", comparison.lost)):
        if changes:
            made.append(_changes(f"{title} on {len(changes)} tasks, most on", comparison.metric, changes[:_LISTED]))
    return made


def summary(comparisons: Sequence[Comparison]) -> Table:
    """Return a row for each of several comparisons with the same A."""
    metric, a = comparisons[0].metric, comparisons[0].a
    corrected = holm([found.row.paired.p for found in comparisons])
    rows = [
        (
            printable(found.b.label),
            str(found.tasks),
            *_figures(metric, found.row),
            short_p(found.row.paired.p),
            short_p(p),
            str(len(found.won)),
            str(len(found.lost)),
        )
        for found, p in zip(comparisons, corrected, strict=True)
    ]
    header = ("B", "tasks", *_HEADER[1:], "p", "p (Holm)", "won", "lost")
    return Table(f"{metric}: all against A, {printable(a.label)}", header, rows)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row of the figures."""
    return (printable(row.name), *_figures(row.name, row), short_p(row.paired.p))


def p_value(p: float) -> str:
    """Return a p-value within a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def short_p(p: float) -> str:
    """Return a p-value in a table."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


_HEADER = ("per episode", "A", "B", "B − A", "95 % interval")


def _figures(name: str, row: Row) -> tuple[str, str, str, str]:
    pair = row.paired
    ends = f"{number(name, pair.low, sign=True)} to {number(name, pair.high, sign=True)}"
    return number(name, row.a), number(name, row.b), number(name, pair.difference, sign=True), ends


def _part(metric: str, row: Row) -> tuple[str, ...]:
    pair = row.paired
    return (printable(row.name), str(pair.tasks), *_figures(metric, row), short_p(pair.p), _holm(row))


def _named(row: Row) -> tuple[str, ...]:
    reason = printable(row.name.removeprefix("stop/"))
    return (reason, *_figures(row.name, row), short_p(row.paired.p), _holm(row))


def _holm(row: Row) -> str:
    return "–" if row.holm is None else short_p(row.holm)


def _changes(title: str, metric: str, changes: Sequence[Change]) -> Table:
    rows = [
        (
            printable(change.task),
            printable(" ".join(change.asked.split())[:_WIDE]),
            number(metric, change.a),
            number(metric, change.b),
        )
        for change in changes
    ]
    return Table(title, ("task", "asked", "A", "B"), rows, words=2)
