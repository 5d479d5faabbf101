"""`agent-rl train`."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from agent_rl.cli.common import add_words, print_plan, refuse_changes, take_word
from agent_rl.config import compose, environment_words, validate
from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.current import using
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import RunFolder, create_run, write_config
from agent_rl.trainer.settings import TrainConfig

_MAY_CHANGE = {
    "trainer.steps",
    "trainer.skipped_budget",
    "trainer.mismatch_alarm",
    "trainer.profile",
    "trainer.async_checkpoints",
    "tracker",
    "engine.urls",
    *(f"cluster.{key}" for key in ("address", "strategy", "restarts", "start_seconds")),
}
"""What a resumed run may set anew."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, TrainConfig, "agent-rl train env=search algorithm=grpo model=tiny trainer.steps=40")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the configuration and the arithmetic, train nothing"
    )
    parser.epilog = f"resume=RUN continues a run that was stopped or killed.\n\n{parser.epilog}"
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, or say what would be done."""
    resumed, words = take_word(arguments.words, "resume")
    base = _recorded(RunFolder.open(Path(resumed))) if resumed else None
    config = validate(TrainConfig, compose("train", words, base))
    if resumed and base is not None:
        refuse_changes(base, config.model_dump(mode="json"), _MAY_CHANGE)
    if arguments.dry_run:
        return _dry_run(config)
    from agent_rl.rollout.engines.build import check_limits  # these load torch
    from agent_rl.trainer.run import train

    if resumed:
        folder = RunFolder.open(Path(resumed))
    else:
        check_limits(config.engine, config.model, config.rollout.limits)
        folder = create_run(config.out, config.run_name, config, ["agent-rl", *sys.argv[1:]])
    facts = json.loads(folder.run_json.read_text(encoding="utf-8"))
    with folder.alone(), Console() as console:
        if resumed:
            _record_steps(folder, config)
        try:
            summary = train(config, folder, console, facts)
        except KeyboardInterrupt:
            console.line(f"\ncontinue with: agent-rl train resume={folder.path}")  # a line may have been cut off
            raise
    _conclude(config, folder, summary)
    return 0


def _dry_run(config: TrainConfig) -> int:
    from agent_rl.trainer.plan import explain

    with using(config.sandbox):
        print_plan(config, explain(config))
    return 0


def _conclude(config: TrainConfig, folder: RunFolder, summary: dict[str, Any]) -> None:
    """Say in three lines what was reached, where it lies, and what to type next."""
    kinds = [("greedy", "before", "after"), ("sampled", "before_sampled", "after_sampled")]
    rises = [
        f"{summary[before]:.3f} -> {summary[after]:.3f} ({kind})"
        for kind, before, after in kinds
        if before in summary and after in summary
    ]
    reached = f"held-out success {', '.join(rises)}" if rises else f"{summary['steps']} steps"
    print(f"reached: {reached} in {summary['steps']} steps, {summary['seconds']:.0f} s of training")
    print(f"lies in: {folder.path} (report.html, learning_curve.png, checkpoints, trajectories)")
    env = environment_words(config.env.model_dump(mode="json"))
    print(f"next:    agent-rl eval {env} model={folder.path} split={config.eval.split}")


def _recorded(folder: RunFolder) -> dict[str, Any]:
    try:
        values = yaml.safe_load(folder.config_yaml.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"the configuration of {folder.path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"the configuration of {folder.path} is empty or damaged")
    return values


def _record_steps(folder: RunFolder, config: TrainConfig) -> None:
    """Write the configuration again, for a resumed run that is to be longer."""
    if folder.summary_json.exists():
        done = json.loads(folder.summary_json.read_text(encoding="utf-8"))["steps"]
        if done >= config.trainer.steps:
            raise UserError(f"{folder.path} is complete ({done} steps); to go on, give more: trainer.steps={done + 20}")
        folder.summary_json.unlink()
        for evaluation in filter(Path.is_dir, folder.evaluations.glob("after*")):
            shutil.rmtree(evaluation)
    write_config(folder, config)
