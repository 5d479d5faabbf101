"""GSPO: the ratio of a whole sequence is clipped.

    s_i = exp(mean over the tokens t of sequence i of (log p(a_t) - log p_old(a_t)))
    loss_t = -min(s_i A_i, clip(s_i, 1 - clip_low, 1 + clip_high) A_i)    for every token t of i
    variant `token`: s_i,t = stop_gradient(s_i) p(a_t) / stop_gradient(p(a_t)) in place of s_i, and A_t of A_i

Zheng et al. 2025, Group Sequence Policy Optimization, arXiv:2507.18071; there `aggregation` is `sequence`. A sequence
is a trajectory, all of its turns together. A_i is the mean of its tokens' advantages: the paper's where they are equal;
then both variants have the same gradient.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens
from agent_rl.trainer.algorithms.losses import sequences
from agent_rl.trainer.algorithms.losses.clip import surrogate


class Gspo(PolicyLoss):
    """The clipped surrogate of whole sequences."""

    name: str = "gspo"
    """The loss."""
    clip_low: float = Field(default=3e-4, ge=0.0, lt=1.0)
    """How far a sequence's ratio may fall below 1 before its gradient is cut."""
    clip_high: float = Field(default=4e-4, ge=0.0)
    """How far a sequence's ratio may rise above 1 before its gradient is cut."""
    variant: Literal["sequence", "token"] = "sequence"
    """`token`: GSPO-token, for advantages that differ within a sequence."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        by_token = self.variant == "token"
        given = tokens.logprobs, tokens.old_logprobs, tokens.advantages, tokens.lengths
        return gspo(*given, self.clip_low, self.clip_high, by_token)


def gspo(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    lengths: list[int],
    clip_low: float,
    clip_high: float,
    by_token: bool = False,
) -> TokenLoss:
    """Return GSPO's loss of each token, `[A]`, from `[A]` each and the tokens of each sequence."""
    gap = sequences.mean(logprobs - old_logprobs, lengths)
    if by_token:
        gap = gap.detach() + logprobs - logprobs.detach()
    else:
        advantages = sequences.mean(advantages, lengths)
    return surrogate(gap.exp(), advantages, clip_low, clip_high)
