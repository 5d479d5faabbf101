"""Algorithms: an advantage estimator and a policy loss with their settings, one file each."""

from agent_rl.trainer.algorithms.base import Algorithm, TokenLoss
from agent_rl.trainer.algorithms.grpo import Grpo, GrpoSettings

__all__ = ["Algorithm", "Grpo", "GrpoSettings", "TokenLoss"]
