"""`agent-rl check env=…`."""

import argparse
import dataclasses
import json

from pydantic import BaseModel, ConfigDict

from agent_rl.cli.common import add_words
from agent_rl.config import compose, validate
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection
from agent_rl.tools.sandbox.current import using
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.settings import SandboxSettings


class CheckConfig(BaseModel):
    """Everything `agent-rl check` reads."""

    model_config = ConfigDict(extra="forbid")

    env: EnvSection = EnvSection()
    """The environment and its settings."""
    sandbox: SandboxSettings = LocalSettings()
    """What runs the programs that environments and tools want run."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, CheckConfig, "agent-rl check env=search")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON: ok, env and the findings")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was checked; 1 when something does not hold."""
    config = validate(CheckConfig, compose("check", arguments.words))
    findings = []
    with using(config.sandbox):
        for finding in check_environment(config.env):
            findings.append(finding)
            mark = {True: "ok  ", False: "FAIL", None: "    "}[finding.passed]
            print(f"{mark} {finding.name:<22} {finding.seen}", flush=True)
    failed = sum(finding.passed is False for finding in findings)
    print(f"{failed} check{'s' * (failed > 1)} failed" if failed else "all checks passed")
    if arguments.json:
        told = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"ok": not failed, "env": config.env.name, "findings": told}))
    return int(failed > 0)
