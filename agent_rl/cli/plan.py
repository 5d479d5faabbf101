"""`agent-rl plan`."""

import argparse
import json

from agent_rl.cli.common import add_words
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.current import using
from agent_rl.trainer.settings import TrainConfig


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, TrainConfig, "agent-rl plan env=search model=Qwen/Qwen3-0.6B cluster=ray cluster.ranks=2")
    parser.add_argument("--memory-gb", type=float, metavar="GB", help="what each device has, for a machine elsewhere")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON object on a line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what a training would need, whether or not it fits."""
    available = arguments.memory_gb
    if available is not None and not available > 0:
        raise UserError(f"--memory-gb must be over 0 (got {available:g})")
    config = validate(TrainConfig, compose("train", arguments.words))
    from agent_rl.trainer.plan import make_plan  # loads torch

    with using(config.sandbox):
        plan = make_plan(config, None if available is None else available * 1024)
    print("\n".join(plan.lines()))
    if arguments.json:
        print(json.dumps(plan.to_json()))
    return 0
