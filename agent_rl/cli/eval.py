"""`agent-rl eval`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rich.console

from agent_rl.cli.common import add_words, print_plan, refuse_changes, take_word
from agent_rl.config import combinations, compose, validate
from agent_rl.core.errors import UserError
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.plan import explain
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.evaluation.several import (
    MAY_CHANGE,
    Outcome,
    begin,
    begin_all,
    evaluate_all,
    evaluate_into,
    labels,
    recorded,
)
from agent_rl.evaluation.tables import Table, headline, overview, tables
from agent_rl.tools.sandbox.current import using
from agent_rl.tracking.console import Console

EXIT_FAILED = 3
_WIDTH = 200  # columns of tables that go into a file


@dataclass(frozen=True)
class Job:
    """What is to be measured.

    Attributes:
        configs: Each evaluation by its label.
        folder: Where it is recorded; None for nowhere.
        several: Whether each evaluation has a folder of its own below that one.
        begun: Whether the folder is there already.
    """

    configs: dict[str, EvalConfig]
    folder: Path | None
    several: bool
    begun: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, EvalConfig, "agent-rl eval env=search model=RUN n=4 split=test")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the configuration and how much is played, measure nothing"
    )
    parser.add_argument("--json", action="store_true", help="end with the results as one JSON object on a line")
    more = "KEY=A,B measures each; suite=NAME_OR_FILE measures what it lists; resume=DIR goes on with what was stopped."
    parser.epilog = f"{more}\n\n{parser.epilog}"
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure one or several models on one or several environments, or say what would be done.

    Returns:
        0, or 3 when one of several could not be measured.
    """
    resumed, words = take_word(arguments.words, "resume")
    job = _resumed(Path(resumed), words) if resumed else _planned(words)
    if arguments.dry_run:
        return _dry_run(job)
    with _folder(job) as folder, Console() as console:
        try:
            outcome = _measured(job, folder, console)
        except (KeyboardInterrupt, UserError):
            if job.folder and (job.several or EvaluationFolder(folder).begun):
                console.line(f"\ncontinue with: agent-rl eval resume={folder}")  # a line may have been cut off
            raise
    _print(outcome, job.several)
    if job.folder:
        print(f"written to {folder}" + (f"; try again with: agent-rl eval resume={folder}" if outcome.failed else ""))
    if arguments.json:
        print(json.dumps(outcome.to_json() if job.several else next(iter(outcome.results.values())).to_json()))
    if outcome.failed:
        names = ", ".join(outcome.failed)
        print(f"error: {len(outcome.failed)} of {len(job.configs)} evaluations failed: {names}", file=sys.stderr)
    return EXIT_FAILED if outcome.failed else 0


def _planned(words: Sequence[str]) -> Job:
    suite, words = take_word(words, "suite")
    combined = combinations(words, suite)
    configs = {label: validate(EvalConfig, compose("eval", chosen)) for label, chosen in combined.items()}
    places = {config.out for config in configs.values()}
    if len(places) > 1:
        raise UserError("out= names one folder; each evaluation gets its own below it")
    out = places.pop()
    return Job(configs, Path(out) if out else None, len(configs) > 1, begun=False)


def _resumed(folder: Path, words: Sequence[str]) -> Job:
    """Return what was begun in a folder; `words` may set anew what changes no episode."""
    names = labels(folder)
    configs = {}
    for label in names or [folder.name]:
        base = recorded(folder / label if names else folder)
        config = configs[label] = validate(EvalConfig, compose("eval", words, base))
        refuse_changes(base, config.model_dump(mode="json"), MAY_CHANGE)
    return Job(configs, folder, bool(names), begun=True)


def _dry_run(job: Job) -> int:
    for label, config in job.configs.items():
        if job.several:
            print(f"# {label}")
        with using(config.sandbox):
            print_plan(config, explain(config))
    return 0


@contextmanager
def _folder(job: Job) -> Iterator[Path]:
    """Yield the folder that the job is done in, made anew unless it was begun; a temporary one where none is wanted."""
    with tempfile.TemporaryDirectory(prefix="agent_rl_") as scratch:
        folder = job.folder or Path(scratch)
        if not job.begun:
            command = ["agent-rl", *sys.argv[1:]]
            if job.several:
                begin_all(folder, job.configs, command)
            else:
                begin(folder, next(iter(job.configs.values())), command)
        yield folder


def _measured(job: Job, folder: Path, console: Console) -> Outcome:
    if job.several:
        return evaluate_all(folder, job.configs, console)
    (label,) = job.configs
    return Outcome({label: evaluate_into(folder, job.configs[label], console)})


def _print(outcome: Outcome, several: bool) -> None:
    """Print the tables; of several evaluations a line each."""
    screen = rich.console.Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    shown: list[Table] = []
    if several:
        shown.append(overview(outcome.results, outcome.failed))
    else:
        (results,) = outcome.results.values()
        screen.print(headline(results), markup=False)
        shown += tables(results)
    for table in shown:
        screen.print()
        screen.print(table.rich())
