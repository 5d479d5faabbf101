"""`agent-rl list`."""

import argparse

from agent_rl.config import presets
from agent_rl.envs import ENVIRONMENTS
from agent_rl.envs.registration import summary
from agent_rl.tracking import TRACKERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print what can be named on the command line."""
    described = {name: summary(name) for name in ENVIRONMENTS}
    _section("environments (env=NAME, or env=FILE.py:CLASS)", described)
    _section(
        "models (model=NAME, or a run, a folder or a name on the Hugging Face hub)", dict.fromkeys(presets("model"), "")
    )
    _section("algorithms (algorithm=NAME)", dict.fromkeys(presets("algorithm"), ""))
    _section("engines (engine=NAME)", dict.fromkeys(presets("engine"), ""))
    _section("trackers (tracker=NAME; the console and metrics.jsonl always)", dict.fromkeys(TRACKERS, ""))
    return 0


def _section(title: str, entries: dict[str, str]) -> None:
    print(title)
    for name, text in entries.items():
        print(f"  {name:<12} {text}".rstrip())
