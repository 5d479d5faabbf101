"""The engine over SGLang servers: started and watched by us, or given by their urls."""

from typing import TYPE_CHECKING, Any

from agent_rl.rollout.engines.sglang.settings import SglangSettings

if TYPE_CHECKING:
    from agent_rl.rollout.engines.sglang.engine import SglangEngine

__all__ = ["SglangEngine", "SglangSettings"]


def __getattr__(name: str) -> Any:
    """Import the engine, and torch with it, when it is first used: settings are read without them."""
    if name != "SglangEngine":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from agent_rl.rollout.engines.sglang.engine import SglangEngine

    return SglangEngine
