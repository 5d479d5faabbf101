"""`agent-rl compare`."""

import argparse
import json
import sys
from pathlib import Path

import rich.console

from agent_rl.cli.common import take_word
from agent_rl.core.errors import UserError
from agent_rl.evaluation.comparison import Comparison, compare, lines, read_sides, summary, tables, write_page

_DESCRIPTION = """Example: agent-rl compare evaluations/tiny runs/search-grpo out=comparison.html

Compares evaluations of the same tasks, each with the first: differences with intervals and p-values, of all tasks and
by attribute, how episodes ended, the tasks won and lost. Each FOLDER is that of an evaluation, or of a training run,
which stands for its last evaluation. out=FILE.html writes a page."""
_WIDTH = 200  # columns of tables that go into a file


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = _DESCRIPTION
    parser.add_argument("words", nargs="+", metavar="FOLDER", help="two or more evaluations")
    parser.add_argument("--metric", default="success", metavar="NAME", help="what to compare (default: success)")
    parser.add_argument("--page", metavar="FILE", help="write a page that needs no other file, as out=FILE does")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON object on a line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare evaluations."""
    out, folders = take_word(arguments.words, "out")
    if len(folders) < 2:
        raise UserError("compare needs two evaluations, such as: agent-rl compare evaluations/tiny runs/search-grpo")
    first, *others = read_sides([Path(folder) for folder in folders])
    comparisons = [compare(first, other, arguments.metric) for other in others]
    page = out or arguments.page
    if page:
        write_page(comparisons, Path(page))
    _print(comparisons)
    if page:
        print(f"page: {page}")
    if arguments.json:
        found = [comparison.to_json() for comparison in comparisons]
        print(json.dumps(found[0] if len(found) == 1 else {"metric": arguments.metric, "comparisons": found}))
    return 0


def _print(comparisons: list[Comparison]) -> None:
    screen = rich.console.Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    for comparison in comparisons:
        for line in lines(comparison):
            screen.print(line, markup=False, soft_wrap=True)
        screen.print()
        for table in tables(comparison) if len(comparisons) == 1 else ():
            screen.print(table.rich())
            screen.print()
    if len(comparisons) > 1:
        screen.print(summary(comparisons).rich())
