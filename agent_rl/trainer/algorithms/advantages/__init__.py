"""Estimators of advantages, one file each: the formula and the paper, a plain function on tensors, its settings."""

from agent_rl.trainer.algorithms.advantages.gae import AdaptiveGae, Gae, adaptive_lam, gae
from agent_rl.trainer.algorithms.advantages.grpo import Grpo, grpo
from agent_rl.trainer.algorithms.base import register_advantage

register_advantage("gae", Gae)
register_advantage("gae_adaptive", AdaptiveGae)
register_advantage("grpo", Grpo)

__all__ = ["AdaptiveGae", "Gae", "Grpo", "adaptive_lam", "gae", "grpo"]
