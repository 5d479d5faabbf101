"""`agent-rl export`."""

import argparse
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt, model_validator

from agent_rl.cli.common import add_words
from agent_rl.config import compose, validate
from agent_rl.core.settings import Settings


class ExportConfig(Settings):
    """Everything `agent-rl export` reads beside the run."""

    out: str | None = None
    """The folder to write, new or empty; by default RUN/exports/step_N, with `-adapter` behind it for an adapter, and
    RUN/exports/lm_eval for a log."""
    step: PositiveInt | None = None
    """The step of the checkpoint; by default the newest one. With `log` the training step whose episodes are logged."""
    adapter: bool = False
    """Write the adapter alone as peft does, instead of the model with the adapter merged into it."""
    log: Literal["lm_eval"] | None = None
    """Write the log of an evaluation instead, in the format of lm-evaluation-harness."""
    name: str | None = None
    """With `log`: which of a training run's evaluations, such as after."""

    @model_validator(mode="after")
    def _one_thing(self) -> "ExportConfig":
        if self.log and self.adapter:
            raise ValueError("adapter has no effect with log")
        if self.name and not self.log:
            raise ValueError("name has no effect without log")
        return self


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("path", metavar="RUN", help="the folder of a run, one of its checkpoints, or an evaluation")
    add_words(parser, ExportConfig, "agent-rl export runs/search-grpo out=models/searcher")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export a model, or a log."""
    config = validate(ExportConfig, compose("export", arguments.words))
    if config.log:
        return _export_log(Path(arguments.path), config)
    from agent_rl.trainer.export import export  # loads transformers

    exported = export(Path(arguments.path), Path(config.out) if config.out else None, config.step, config.adapter)
    kind = "the adapter" if config.adapter else "the model"
    print(f"{kind} of {exported.checkpoint} is in {exported.folder} ({exported.megabytes:.1f} MB)")
    if not config.adapter:
        print(f'next: AutoModelForCausalLM.from_pretrained("{exported.folder}"), or model={exported.folder} here')
    return 0


def _export_log(path: Path, config: ExportConfig) -> int:
    from agent_rl.evaluation.lm_eval_log import write_log
    from agent_rl.evaluation.recorded import read_recorded

    recorded = read_recorded(path, config.name, config.step)
    for file in write_log(recorded, Path(config.out) if config.out else path / "exports" / "lm_eval"):
        print(file)
    return 0
