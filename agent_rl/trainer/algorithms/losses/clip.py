"""The clipped surrogate of PPO, with a wider upper clip as in DAPO, and a second clip if wanted.

    r_t = exp(log p(a_t) - log p_old(a_t))
    loss_t = -min(r_t A_t, clip(r_t, 1 - clip_low, 1 + clip_high) A_t)
    with a dual clip c, where A_t < 0: loss_t = -max(min(r_t A_t, clip(...) A_t), c A_t)

Schulman et al. 2017, Proximal Policy Optimization Algorithms, arXiv:1707.06347. Two bounds: Yu et al. 2025, DAPO,
arXiv:2503.14476; there `aggregation` is `token`. Dual clip: Ye et al. 2019, Mastering Complex Control in MOBA Games
with Deep Reinforcement Learning, arXiv:1912.09729; c is 3 there.
"""

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens


class Clip(PolicyLoss):
    """The clipped surrogate."""

    name: str = "clip"
    """The loss."""
    clip_low: float = Field(default=0.2, ge=0.0, lt=1.0)
    """How far a ratio may fall below 1 before its gradient is cut."""
    clip_high: float = Field(default=0.28, ge=0.0)
    """How far a ratio may rise above 1 before its gradient is cut."""
    dual_clip: float | None = Field(default=None, gt=1.0)
    """The ratio above which the gradient of a negative advantage is cut too; null: none is."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        bounds = self.clip_low, self.clip_high, self.dual_clip
        return clip(tokens.logprobs, tokens.old_logprobs, tokens.advantages, *bounds)


def clip(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    clip_low: float,
    clip_high: float,
    dual_clip: float | None = None,
) -> TokenLoss:
    """Return the clipped surrogate's loss of each token, `[A]`, from `[A]` each; log-probabilities in nats."""
    result = surrogate((logprobs - old_logprobs).exp(), advantages, clip_low, clip_high)
    if dual_clip is None:
        return result
    most = -dual_clip * advantages
    over = (advantages < 0) & (result.loss > most)
    return TokenLoss(torch.where(over, most, result.loss), torch.where(over, 1.0, result.clipped))


def surrogate(ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float) -> TokenLoss:
    """Return the clipped surrogate's loss, `[A]`, from the ratio, with a gradient, and the advantage of each token."""
    bounded = ratio.clamp(1 - clip_low, 1 + clip_high)
    free, held = ratio * advantages, bounded * advantages
    return TokenLoss(-torch.minimum(free, held), (held < free).float())
