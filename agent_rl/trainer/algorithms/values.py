"""What a value model learns: the returns of an estimator such as `gae`, each token's clipped as in PPO2.

    loss_t = 1/2 max((V_t - G_t)^2, (clip(V_t, V_old_t - clip, V_old_t + clip) - G_t)^2)

V_old is the value before the step's first update. From OpenAI's baselines (ppo2); described by Engstrom et al. 2020,
Implementation Matters in Deep Policy Gradients, arXiv:2005.12729. First training the value model alone, with the policy
held fixed (`warmup`), is from Yuan et al. 2025, What's Behind PPO's Collapse in Long-CoT?, arXiv:2503.01491.
"""

import torch
from pydantic import NonNegativeInt, PositiveFloat
from torch import Tensor

from agent_rl.core.settings import Settings
from agent_rl.trainer.optimizer import OptimizerSettings


class ValueOptimizerSettings(OptimizerSettings):
    """The optimizer of the value model."""

    lr: PositiveFloat = 1e-3
    """Peak learning rate."""


class ValueSettings(Settings):
    """The value model, where the algorithm needs one: a decoder with a head of one number."""

    model: str | None = None
    """The checkpoint whose decoder it begins with; by default the policy's."""
    optimizer: ValueOptimizerSettings = ValueOptimizerSettings()
    """Its optimizer."""
    warmup: NonNegativeInt = 1
    """First steps of the run, in which it learns and the policy does not."""
    clip: PositiveFloat | None = 0.2
    """How far a value may move in a step before its gradient is cut; null for as far as it likes."""


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float | None) -> Tensor:
    """Return the loss of each token, `[A]`, from `[A]` each; without `clip` half the squared error."""
    loss = (values - returns) ** 2
    if clip is not None:
        held = old_values + (values - old_values).clamp(-clip, clip)
        loss = torch.maximum(loss, (held - returns) ** 2)
    return 0.5 * loss


def explained_variance(values: Tensor, returns: Tensor) -> float | None:
    """Return `1 - Var(returns - values) / Var(returns)`, from `[A]` each; None where returns do not vary."""
    spread = float(returns.var(correction=0)) if len(returns) else 0.0
    return 1 - float((returns - values).var(correction=0)) / spread if spread > 0 else None
