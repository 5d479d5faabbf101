"""Which sandbox programs run in."""

from agent_rl.tools.sandbox.local.settings import LocalSettings

SandboxSettings = LocalSettings
"""The settings of one of the sandboxes, chosen by `name`."""
