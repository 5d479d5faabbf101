"""`agent-rl check env=…`."""

import argparse

from pydantic import BaseModel, ConfigDict

from agent_rl.cli.common import add_words
from agent_rl.config import compose, validate
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection


class CheckConfig(BaseModel):
    """Everything `agent-rl check` reads."""

    model_config = ConfigDict(extra="forbid")

    env: EnvSection = EnvSection()
    """The environment and its settings."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, CheckConfig, "agent-rl check env=search")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was checked; 1 when something does not hold."""
    config = validate(CheckConfig, compose("check", arguments.words))
    failed = 0
    for finding in check_environment(config.env):
        mark = {True: "ok  ", False: "FAIL", None: "    "}[finding.passed]
        failed += finding.passed is False
        print(f"{mark} {finding.name:<22} {finding.seen}", flush=True)
    print(f"{failed} checks failed" if failed else "all checks passed")
    return int(failed > 0)
