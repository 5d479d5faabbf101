"""LUFFY: a demonstration in each group, from which the policy learns where it is unsure.

    of a sampled token:       loss_t = -min(r_t A_t, clip(r_t, 1 - clip_low, 1 + clip_high) A_t)
    of a demonstrated token:  loss_t = -f(p(a_t)) A_t,    f(x) = x / (x + gamma)

Yan et al. 2025, Learning to Reason under Off-Policy Guidance, arXiv:2504.14945; gamma is 0.1 there. The demonstration
is one of the group's episodes for the estimator, with the reward that it earns, and none in the metrics. What is shown
is the environment's own solution (`AgentEnv.solution`), where the paper has the traces of a stronger model. That its
tokens are ascribed the probability 1, so that the ratio is p(a_t) itself, and are not clipped, is as there.
"""

from typing import ClassVar

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens
from agent_rl.trainer.algorithms.losses.clip import clip


class Luffy(PolicyLoss):
    """The clipped surrogate for what was sampled, shaped weights for what was shown."""

    guided: ClassVar[bool] = True

    name: str = "luffy"
    """The loss."""
    gamma: PositiveFloat = 0.1
    """The probability of a demonstrated token at which its weight is one half; smaller ones keep a larger gradient."""
    clip_low: float = Field(default=0.2, ge=0.0, lt=1.0)
    """How far a ratio may fall below 1 before its gradient is cut."""
    clip_high: float = Field(default=0.2, ge=0.0)
    """How far a ratio may rise above 1 before its gradient is cut."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        sampled = clip(tokens.logprobs, tokens.old_logprobs, tokens.advantages, self.clip_low, self.clip_high)
        return luffy(sampled, tokens.logprobs, tokens.advantages, tokens.notes["guided"], self.gamma)


def luffy(sampled: TokenLoss, logprobs: Tensor, advantages: Tensor, guided: Tensor, gamma: float) -> TokenLoss:
    """Return LUFFY's loss of each token, `[A]`.

    Args:
        sampled: The loss of each token if the policy has sampled it, `[A]`.
        logprobs: Log-probability (nats), with a gradient, `[A]`.
        advantages: `[A]`.
        guided: 1 where it was demonstrated, `[A]`.
        gamma: Of the shaping.
    """
    probabilities = logprobs.exp()
    shown = -probabilities / (probabilities + gamma) * advantages
    chosen = guided > 0
    return TokenLoss(torch.where(chosen, shown, sampled.loss), torch.where(chosen, 0.0, sampled.clipped))
