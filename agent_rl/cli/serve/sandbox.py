"""`agent-rl serve sandbox`."""

import argparse
import asyncio

from pydantic import Field

from agent_rl.cli.common import add_words
from agent_rl.cli.serve.listening import check_installed, serve
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.tools.sandbox.base import Program, Sandbox, Status
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.server.running import ServedLimits
from agent_rl.tools.sandbox.settings import SandboxSettings

SUMMARY = "a sandbox, by Sandbox Fusion's protocol"


class SandboxServerConfig(Settings):
    """Everything `agent-rl serve sandbox` reads."""

    sandbox: SandboxSettings = LocalSettings()
    """Where the programs run."""
    limits: ServedLimits = ServedLimits()
    """What programs may use."""
    queue: int = Field(default=1024, ge=0)
    """Requests that may wait beside the `sandbox.concurrency` that are worked on; beyond, they are refused with 429."""
    host: str = "127.0.0.1"
    """The address to listen on; only this machine can reach the default. Whoever can reach it can run programs."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(
        parser, SandboxServerConfig, "agent-rl serve sandbox port=8080 sandbox.concurrency=16 limits.memory_mb=2048"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    config = validate(SandboxServerConfig, compose("serve_sandbox", arguments.words))
    check_installed()

    from agent_rl.tools.sandbox.making import make_sandbox
    from agent_rl.tools.sandbox.server.application import application
    from agent_rl.tools.sandbox.server.gate import Gate
    from agent_rl.tools.sandbox.server.service import SandboxService

    sandbox = make_sandbox(config.sandbox)
    tier = asyncio.run(_tried(sandbox))
    print(f"{config.sandbox.name} ({tier}): {', '.join(sandbox.languages)}", flush=True)
    gate = Gate(config.sandbox.concurrency, config.queue)
    app = application(SandboxService(sandbox, config.limits, gate))
    serve(app, config.host, config.port, "POST /run_code, /run_jupyter, /submit, GET /v1/ping, /metrics", gate.stop)
    return 0


async def _tried(sandbox: Sandbox) -> str:
    """Run a program, and return the isolation that ran it: what does not work is better known now than by a client."""
    result = await sandbox.run(Program("", sandbox.languages[0]))
    if result.status is not Status.FINISHED:
        await sandbox.close()
        raise UserError(f"the sandbox does not work: {result.message or result.stderr or result.status}")
    return result.tier
