"""Exact renderers: messages to tokens for a model family, extended turn by turn without touching what is there."""

from agent_rl.rollout.renderer.renderer import Renderer
from agent_rl.rollout.renderer.settings import RendererSettings

__all__ = ["Renderer", "RendererSettings"]
