"""The clipped surrogate of PPO, with a wider upper clip as in DAPO.

    r_t = exp(log p(a_t) - log p_old(a_t))
    loss_t = -min(r_t A_t, clip(r_t, 1 - clip_low, 1 + clip_high) A_t)

Schulman et al. 2017, Proximal Policy Optimization Algorithms, arXiv:1707.06347. Two bounds: Yu et al. 2025, DAPO,
arXiv:2503.14476; there `aggregation` is `token`.
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

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        return clip(tokens.logprobs, tokens.old_logprobs, tokens.advantages, self.clip_low, self.clip_high)


def clip(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_low: float, clip_high: float) -> TokenLoss:
    """Return the clipped surrogate's loss of each token, `[A]`, from `[A]` each; log-probabilities in nats."""
    ratio = (logprobs - old_logprobs).exp()
    bounded = ratio.clamp(1 - clip_low, 1 + clip_high)
    free, held = ratio * advantages, bounded * advantages
    return TokenLoss(-torch.minimum(free, held), (held < free).float())
