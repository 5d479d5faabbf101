"""A server that runs the programs: Sandbox Fusion's contract."""

from agent_rl.tools.sandbox.fusion.sandbox import FusionSandbox
from agent_rl.tools.sandbox.fusion.settings import FusionSettings

__all__ = ["FusionSandbox", "FusionSettings"]
