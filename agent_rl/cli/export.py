"""`agent-rl export`."""

import argparse
from pathlib import Path

from pydantic import PositiveInt

from agent_rl.cli.common import add_words
from agent_rl.config import compose, validate
from agent_rl.core.settings import Settings


class ExportConfig(Settings):
    """Everything `agent-rl export` reads beside the run."""

    out: str | None = None
    """The folder to write, new or empty; by default RUN/exports/step_N, with `-adapter` behind it for an adapter."""
    step: PositiveInt | None = None
    """The step of the checkpoint; by default the newest one."""
    adapter: bool = False
    """Write the adapter alone as peft does, instead of the model with the adapter merged into it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("path", metavar="RUN", help="the folder of a run, or one of its checkpoints")
    add_words(parser, ExportConfig, "agent-rl export runs/search-grpo out=models/searcher")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export a model."""
    from agent_rl.trainer.export import export  # loads transformers

    config = validate(ExportConfig, compose("export", arguments.words))
    exported = export(Path(arguments.path), Path(config.out) if config.out else None, config.step, config.adapter)
    kind = "the adapter" if config.adapter else "the model"
    print(f"{kind} of {exported.checkpoint} is in {exported.folder} ({exported.megabytes:.1f} MB)")
    if not config.adapter:
        print(f'next: AutoModelForCausalLM.from_pretrained("{exported.folder}"), or model={exported.folder} here')
    return 0
