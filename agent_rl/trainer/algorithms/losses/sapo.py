"""SAPO: a smooth gate in place of the clip.

    r_t = exp(log p(a_t) - log p_old(a_t))
    loss_t = -(4 / tau) sigmoid(tau (r_t - 1)) A_t    with tau = tau_positive where A_t > 0, else tau_negative

At r_t = 1 the gradient is that of r_t A_t; away from 1 it fades, the faster the larger tau is.

Gao et al. 2025, Soft Adaptive Policy Optimization, arXiv:2511.20347; there `aggregation` is `sequence`.
"""

import torch
from pydantic import PositiveFloat
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens


class Sapo(PolicyLoss):
    """The gated surrogate."""

    name: str = "sapo"
    """The loss."""
    tau_positive: PositiveFloat = 1.0
    """How fast the gradient of a positive advantage fades."""
    tau_negative: PositiveFloat = 1.05
    """How fast the gradient of a negative advantage fades."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        given = tokens.logprobs, tokens.old_logprobs, tokens.advantages
        return sapo(*given, self.tau_positive, self.tau_negative)


def sapo(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, tau_positive: float, tau_negative: float
) -> TokenLoss:
    """Return SAPO's loss of each token, `[A]`, from `[A]` each; nothing is clipped."""
    tau = torch.where(advantages > 0, tau_positive, tau_negative).to(logprobs)
    gate = torch.sigmoid(tau * ((logprobs - old_logprobs).exp() - 1)) * 4 / tau
    return TokenLoss(-gate * advantages, torch.zeros_like(advantages))
