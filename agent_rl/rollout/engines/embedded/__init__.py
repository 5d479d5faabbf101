"""The engine in this process: continuous batching over the very weights that train."""

from typing import TYPE_CHECKING, Any

from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings

if TYPE_CHECKING:
    from agent_rl.rollout.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine", "EmbeddedSettings"]


def __getattr__(name: str) -> Any:
    """Import the engine, and torch with it, when it is first used: settings are read without them."""
    if name != "EmbeddedEngine":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from agent_rl.rollout.engines.embedded.engine import EmbeddedEngine

    return EmbeddedEngine
