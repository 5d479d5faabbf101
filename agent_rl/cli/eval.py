"""`agent-rl eval`."""

import argparse
import json
from pathlib import Path
from typing import Any

from agent_rl.cli.common import add_words, print_plan
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.core.files import write_json_atomic
from agent_rl.evaluation.plan import explain
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.tools.sandbox.current import using
from agent_rl.tracking.console import Console


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, EvalConfig, "agent-rl eval env=search model=RUN split=test")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the configuration and how much is played, measure nothing"
    )
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON object on a line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure a model, or say what would be done."""
    config = validate(EvalConfig, compose("eval", arguments.words))
    if arguments.dry_run:
        with using(config.sandbox):
            print_plan(config, explain(config))
        return 0
    if config.out:
        _writable(Path(config.out))
    from agent_rl.evaluation.command import evaluate_model

    figures: dict[str, Any] = {}
    with Console() as console:
        for mode, result in evaluate_model(config, console):
            figures[mode] = result.to_json()
            console.line(f"{mode:<8} success {result.success:.3f}  {_parts(result.by_attribute)}")
            means = "  ".join(f"{name} {value:.2f}" for name, value in result.means.items())
            console.line(f"{'':<8} {result.episodes} episodes, {result.failed} failed; means: {means}")
    if config.out:
        write_json_atomic(
            Path(config.out) / "evaluation.json", {"config": config.model_dump(mode="json"), "figures": figures}
        )
        print(f"written to {config.out}")
    if arguments.json:
        print(json.dumps(figures))
    return 0


def _parts(by_attribute: dict[str, dict[str, float]]) -> str:
    return "  ".join(
        f"{name}={value} {share:.3f}" for name, values in by_attribute.items() for value, share in values.items()
    )


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be written: {error.strerror}") from error
