"""The engine in this process: continuous batching over the very weights that train."""

from agent_rl.rollout.engines.embedded.engine import EmbeddedEngine, EmbeddedSettings

__all__ = ["EmbeddedEngine", "EmbeddedSettings"]
