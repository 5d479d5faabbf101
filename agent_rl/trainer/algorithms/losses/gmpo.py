"""GMPO: the geometric mean of a sequence's ratios, each clipped on the side to which its advantage pushes.

    g_t = log p(a_t) - log p_old(a_t)
    h_t = min(g_t, clip_high) where A_i > 0, max(g_t, -clip_low) where A_i < 0
    loss_t = -A_i exp(mean over the tokens of sequence i of h_t)    for every token t of i

Zhao et al. 2025, Geometric-Mean Policy Optimization, arXiv:2507.20673; there `aggregation` is `sequence` and ratios are
clipped to (e^-0.4, e^0.4). A sequence is a trajectory, all of its turns together; A_i is the mean of its tokens'
advantages: the paper's, where they are equal.
"""

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens
from agent_rl.trainer.algorithms.losses import sequences


class Gmpo(PolicyLoss):
    """The geometric mean of ratios."""

    name: str = "gmpo"
    """The loss."""
    clip_low: float = Field(default=0.4, ge=0.0)
    """How far the logarithm of a ratio may fall below 0 before its gradient is cut."""
    clip_high: float = Field(default=0.4, ge=0.0)
    """How far the logarithm of a ratio may rise above 0 before its gradient is cut."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        given = tokens.logprobs, tokens.old_logprobs, tokens.advantages, tokens.lengths
        return gmpo(*given, self.clip_low, self.clip_high)


def gmpo(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, lengths: list[int], clip_low: float, clip_high: float
) -> TokenLoss:
    """Return GMPO's loss of each token, `[A]`, from `[A]` each and the tokens of each sequence."""
    gap = logprobs - old_logprobs
    mean = sequences.mean(advantages, lengths)
    held = torch.where(mean > 0, gap.clamp(max=clip_high), gap.clamp(min=-clip_low))
    return TokenLoss(-mean * sequences.mean(held, lengths).exp(), (held != gap).float())
