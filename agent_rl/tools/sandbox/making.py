"""The sandbox that settings describe."""

from agent_rl.tools.sandbox.base import Sandbox
from agent_rl.tools.sandbox.fusion.sandbox import FusionSandbox
from agent_rl.tools.sandbox.local.sandbox import LocalSandbox
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.settings import SandboxSettings


def make_sandbox(settings: SandboxSettings) -> Sandbox:
    """Return a sandbox, which starts nothing before a program is run."""
    if isinstance(settings, LocalSettings):
        return LocalSandbox(settings)
    return FusionSandbox(settings)
