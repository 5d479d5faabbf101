"""`agent-rl rescore`."""

import argparse
import json
import sys
from pathlib import Path

import rich.console

from agent_rl.cli.common import add_words, take_word
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.core.files import write_json_atomic
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.recorded import read_recorded
from agent_rl.evaluation.rescore import RescoreConfig, fresh, lines, rescore, settings_of, table
from agent_rl.evaluation.tables import headline
from agent_rl.tracking.console import Console
from agent_rl.tracking.facts import describe
from agent_rl.tracking.run_folder import RunFolder, write_config

_MORE = """RUN is the folder of an evaluation, or of a training run: then name=NAME chooses one of its evaluations
(before, after, step_000010 …) or step=N the trajectories of a training step. What is not given is as it was when the
episodes were played."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("path", metavar="RUN", help="the folder of an evaluation or of a training run")
    add_words(parser, RescoreConfig, "agent-rl rescore evaluations/base env.malformed.penalty=-0.1")
    parser.add_argument("--json", action="store_true", help="end with what changed as one JSON object on a line")
    parser.epilog = f"{_MORE}\n\n{parser.epilog}"
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rescore what was saved."""
    name, words = take_word(arguments.words, "name")
    step, words = take_word(words, "step")
    if step is not None and not step.isdecimal():
        raise UserError(f"step={step} is not the number of a training step")
    path = Path(arguments.path)
    recorded = read_recorded(path, name, int(step) if step else None)
    base = settings_of(recorded, take_word(words, "env")[0])
    config = validate(RescoreConfig, compose("rescore", words, base))
    folder = Path(config.out) if config.out else fresh(path)
    if EvaluationFolder(folder).begun or RunFolder(folder).begun:
        raise UserError(f"{folder} holds results already; choose another folder")
    with Console() as console:
        console.phase("rescore")
        found = rescore(recorded, config, console.progress)
    folder.mkdir(parents=True, exist_ok=True)
    write_config(RunFolder(folder), config)
    write_json_atomic(RunFolder(folder).run_json, describe(["agent-rl", *sys.argv[1:]]))
    write_json_atomic(folder / "changes.json", {"rescored": str(path), **found.to_json()})
    EvaluationFolder(folder).record(found.groups, found.after)
    screen = rich.console.Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    screen.print(headline(found.after), markup=False)
    screen.print(table(found).rich())
    for line in lines(found):
        screen.print(line, markup=False)
    print(f"written to {folder}")
    if not recorded.step:
        print(f"next: agent-rl compare {recorded.file.parent} {folder}")
    if arguments.json:
        print(json.dumps(found.to_json()))
    return 0
