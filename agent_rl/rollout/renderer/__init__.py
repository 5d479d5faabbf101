"""Exact renderers: messages to tokens for a model family, extended turn by turn without touching what is there."""

from typing import TYPE_CHECKING, Any

from agent_rl.rollout.renderer.settings import RendererSettings

if TYPE_CHECKING:
    from agent_rl.rollout.renderer.renderer import Renderer

__all__ = ["Renderer", "RendererSettings"]


def __getattr__(name: str) -> Any:
    """Import the renderer, and transformers with it, when it is first used: settings are read without them."""
    if name != "Renderer":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from agent_rl.rollout.renderer.renderer import Renderer

    return Renderer
