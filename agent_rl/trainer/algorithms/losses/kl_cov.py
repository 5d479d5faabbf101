"""KL-Cov: the few tokens that make the entropy fall most pay for leaving the old policy; nothing is clipped.

    r_t = exp(log p(a_t) - log p_old(a_t))
    loss_t = -r_t A_t, and + coefficient |log p(a_t) - log p_old(a_t)| at the share of tokens with the largest c_t
    (c_t: covariance.py)

Cui et al. 2025, The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv:2505.22617. The
paper writes the divergence of the two policies, its authors' code estimates it as here. The penalty has no gradient in
the first update on a rollout, where the policies are the same.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens
from agent_rl.trainer.algorithms.losses.covariance import covariance


class KlCov(PolicyLoss):
    """The surrogate without a clip, with a penalty on tokens of high covariance."""

    dense: ClassVar[bool] = True

    name: str = "kl_cov"
    """The loss."""
    share: float = Field(default=2e-3, gt=0.0, le=1.0)
    """Of the mini batch's tokens, those that pay; at least one."""
    coefficient: float = Field(default=1.0, ge=0.0)
    """Weight of the penalty."""

    def prepare(self, old_logprobs: Tensor, advantages: Tensor) -> dict[str, Tensor]:
        """Return the note `charged`: 1 at the tokens that pay, else 0, `[A]`."""
        return {"charged": largest(covariance(old_logprobs, advantages), self.share)}

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        penalties = self.coefficient * tokens.notes["charged"]
        return kl_cov(tokens.logprobs, tokens.old_logprobs, tokens.advantages, penalties)


def kl_cov(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, penalties: Tensor) -> TokenLoss:
    """Return KL-Cov's loss of each token, `[A]`, from `[A]` each; `penalties` is 0 where a token pays nothing."""
    gap = logprobs - old_logprobs
    return TokenLoss(-gap.exp() * advantages + penalties * gap.abs(), torch.zeros_like(advantages))


def largest(values: Tensor, share: float) -> Tensor:
    """Return 1 at the share of tokens with the largest values, at least one, else 0, `[A]`."""
    chosen = torch.zeros_like(values)
    chosen[values.argsort(descending=True, stable=True)[: max(1, int(share * len(values)))]] = 1.0
    return chosen
