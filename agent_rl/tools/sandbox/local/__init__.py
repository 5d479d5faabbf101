"""The sandbox of this machine: a fork server with preloaded interpreters, and every layer the kernel has."""

from agent_rl.tools.sandbox.local.sandbox import LocalSandbox
from agent_rl.tools.sandbox.local.settings import LocalSettings, Tier

__all__ = ["LocalSandbox", "LocalSettings", "Tier"]
