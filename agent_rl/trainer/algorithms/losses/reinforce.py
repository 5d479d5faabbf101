"""REINFORCE: the plain policy gradient.

    loss_t = -A_t log p(a_t)

Williams 1992, Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning, Machine
Learning 8, https://doi.org/10.1007/BF00992696. It knows no old policy: it is meant for one update on a rollout
(`trainer.mini_batches=1`).
"""

import torch
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens


class Reinforce(PolicyLoss):
    """The plain policy gradient."""

    name: str = "reinforce"
    """The loss."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        return reinforce(tokens.logprobs, tokens.advantages)


def reinforce(logprobs: Tensor, advantages: Tensor) -> TokenLoss:
    """Return REINFORCE's loss of each token, `[A]`, from `[A]` each; nothing is clipped."""
    return TokenLoss(-advantages * logprobs, torch.zeros_like(advantages))
