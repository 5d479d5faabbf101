"""`agent-rl sft`."""

import argparse
import sys

from agent_rl.cli.common import add_words
from agent_rl.config import compose, environment_words, validate
from agent_rl.tracking import make_tracker
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import create_run
from agent_rl.trainer.sft_settings import SftConfig


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, SftConfig, "agent-rl sft env=search model=tiny sft.from_scratch=true out=runs/tiny")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train on demonstrations, conversations or trajectories."""
    from agent_rl.trainer.sft import train_supervised

    config = validate(SftConfig, compose("sft", arguments.words))
    folder = create_run(config.out, f"sft-{config.label}", config, ["agent-rl", *sys.argv[1:]])
    with Console() as console:
        checkpoint = train_supervised(config, folder, make_tracker("jsonl", folder, "agent_rl"), console)
    print(f"trained {int(checkpoint.name.removeprefix('step_'))} steps; the model is in {checkpoint}")
    env = environment_words(config.env.model_dump(mode="json"))
    print(f"next: agent-rl eval {env} model={folder.path}")
    return 0
