"""Results as tables: for people on a terminal and in Markdown, for programs as CSV."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import rich.table
from rich.text import Text

from agent_rl.evaluation.figures import share
from agent_rl.evaluation.results import Results
from agent_rl.evaluation.statistics import Estimate

Row = Sequence[str]


@dataclass(frozen=True)
class Table:
    """A title, a header, and rows of as many cells; the first columns are `words`, the others figures."""

    title: str
    header: Row
    rows: Sequence[Row]
    words: int = 1

    def rich(self) -> rich.table.Table:
        """Return the table for a terminal. What a model or a user named is shown as text, never as markup."""
        table = rich.table.Table(title=Text(self.title), title_justify="left", box=None, pad_edge=False)
        for number, name in enumerate(self.header):
            table.add_column(Text(name), justify="left" if number < self.words else "right", no_wrap=True)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def markdown(self) -> str:
        """Return the table in Markdown, under its title."""
        rule = ["---" if number < self.words else "---:" for number in range(len(self.header))]
        lines = [self.header, rule, *self.rows]
        written = ["| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines]
        return "\n".join([f"### {_escaped(self.title)}", "", *written, ""])


def headline(results: Results) -> str:
    """Return in words what was measured, and what is in no figure."""
    about = results.subject
    found = (
        f"{about.env}, {about.model}: {results.tasks} tasks of {about.split}, {about.n} "
        f"{'episode' if about.n == 1 else 'episodes'} each at temperature {about.temperature:g}, seed {about.seed}; "
        f"{results.episodes} episodes"
    )
    if not results.failures:
        return f"{found}, none failed"
    causes = ", ".join(f"{count} x {cause}" for cause, count in results.failures_by_cause.items())
    return f"{found} and {results.failures} failed, which are in no figure ({causes})"


def tables(results: Results) -> list[Table]:
    """Return the figures, those by attribute, and the stop reasons."""
    twice = ("avg@", "pass@1", "pass^1", "stop/")  # what the reward, the success and the last table tell
    main = {name: found for name, found in results.metrics.items() if not _begins(name, twice)}
    stops = {name: found for name, found in results.metrics.items() if name.startswith("stop/")}
    made = [Table("figures", ("per episode", "mean", "95 % interval", "tasks"), _rows(main))] if main else []
    for attribute, values in results.by.items():
        names = ("success", "reward")
        header = (attribute, "tasks", *(cell for name in names for cell in (name, "95 % interval")))
        rows = [
            (value, str(found["success"].tasks), *(cell for name in names for cell in _cells(name, found[name])))
            for value, found in values.items()
            if found
        ]
        made += [Table(f"by {attribute}", header, rows)] if rows else []
    if stops:
        reasons = {name.removeprefix("stop/"): found for name, found in stops.items()}
        rows = [(reason, *_cells("stop/", found)) for reason, found in reasons.items()]
        made.append(Table("how episodes ended", ("reason", "share", "95 % interval"), rows))
    return made


def overview(cells: Mapping[str, Results], failed: Mapping[str, str] | None = None) -> Table:
    """Return a row for each of several results by their labels, and for what failed instead."""
    several = [name for name in ("pass@", "pass^") if any(found.subject.n > 1 for found in cells.values())]
    header = ["evaluation", "env", "model", "temperature", "tasks", "n", "success", "95 % interval", "reward"]
    header += [*(f"{name}n" for name in several), "turns", "tokens", "seconds", "failed"]
    rows = [
        (
            label,
            found.subject.env,
            found.subject.model,
            f"{found.subject.temperature:g}",
            str(found.tasks),
            str(found.subject.n),
            *(_cells("success", found.metrics["success"]) if found.metrics else ("–", "–")),
            number("reward", found.mean("reward")),
            *(number(name, found.mean(f"{name}{found.subject.n}")) for name in several),
            *(number(name, found.mean(name)) for name in ("turns", "tokens", "seconds")),
            str(found.failures),
        )
        for label, found in cells.items()
    ]
    rows += [(label, "failed", *[""] * (len(header) - 2)) for label in failed or {}]
    return Table("all evaluations", header, rows, words=3)


def csv_text(cells: Mapping[str, Results]) -> str:
    """Return a row for each metric of each of several results, of all tasks and by attribute."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("evaluation", "env", "model", "attribute", "value", "metric", "mean", "low", "high", "tasks"))
    for label, results in cells.items():
        whole = [("", "", results.metrics)]
        parts = [(name, value, found) for name, values in results.by.items() for value, found in values.items()]
        for attribute, value, found in [*whole, *parts]:
            for metric, e in found.items():
                about = (label, results.subject.env, results.subject.model, attribute, value, metric)
                writer.writerow((*about, e.mean, e.low, e.high, e.tasks))
    return file.getvalue()


def markdown_text(results: Results) -> str:
    """Return the results as a page of Markdown."""
    return "\n".join([_escaped(headline(results)), "", *(table.markdown() for table in tables(results))])


def _begins(name: str, marks: Sequence[str]) -> bool:
    return any(name == mark or (name.startswith(mark) and not mark[-1].isdigit()) for mark in marks)


def _rows(found: Mapping[str, Estimate]) -> list[Row]:
    return [(name, *_cells(name, estimate), str(estimate.tasks)) for name, estimate in found.items()]


def _cells(name: str, found: Estimate) -> tuple[str, str]:
    return number(name, found.mean), f"{number(name, found.low)} – {number(name, found.high)}"


def number(name: str, value: float, sign: bool = False) -> str:
    """Return a value of a metric as it is written, a dash for none; `sign` writes that of what is above 0, too."""
    if math.isnan(value):
        return "–"
    plus = "+" if sign else ""
    if 0 < abs(value) < 0.01 and not share(name):
        return f"{value:{plus}.2g}"
    return f"{value:{plus}.3f}" if abs(value) < 10 else f"{value:{plus},.1f}"


def _escaped(cell: str) -> str:
    """Return text that stays what it is in a cell of a Markdown table."""
    for mark in "\\|`*[":
        cell = cell.replace(mark, f"\\{mark}")
    return " ".join(cell.replace("<", "&lt;").replace(">", "&gt;").split())
