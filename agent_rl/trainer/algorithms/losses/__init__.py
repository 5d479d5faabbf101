"""Policy losses, one file each: the formula and the paper, a plain function on tensors, its settings."""

from agent_rl.trainer.algorithms.base import register_loss
from agent_rl.trainer.algorithms.losses.clip import Clip, clip

register_loss("clip", Clip)

__all__ = ["Clip", "clip"]
