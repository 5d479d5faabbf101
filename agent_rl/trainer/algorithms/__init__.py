"""Algorithms: estimators of advantages and policy losses, one file each, and the settings that put them together."""

from agent_rl.trainer.algorithms.base import (
    ADVANTAGES,
    LOSSES,
    Advantage,
    PolicyLoss,
    TokenLoss,
    Tokens,
    register_advantage,
    register_loss,
)
from agent_rl.trainer.algorithms.batch import Batch, make_batch
from agent_rl.trainer.algorithms.settings import AlgorithmSettings

__all__ = [
    "ADVANTAGES",
    "LOSSES",
    "Advantage",
    "AlgorithmSettings",
    "Batch",
    "PolicyLoss",
    "TokenLoss",
    "Tokens",
    "make_batch",
    "register_advantage",
    "register_loss",
]
