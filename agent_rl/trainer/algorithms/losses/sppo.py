"""SPPO: self-play preference optimization, a regression of a whole sequence's log-ratio on how often it wins.

    s = sum over the tokens of a sequence of log p(a_t) - log p_old(a_t)
    loss_t = (s - eta A)^2

Wu et al. 2024, Self-Play Preference Optimization for Language Model Alignment, arXiv:2405.00675; eta is 1000 there. The
advantage A of a sequence is `win_rate`, and each token bears the loss of its sequence: with `aggregation=sequence` that
of a mini batch is their mean, as in the paper. The sequences are trajectories, each with all of its turns. There, the
old policy is that of the beginning of an iteration over a whole data set, here of a step.
"""

from typing import ClassVar

import torch
from pydantic import PositiveFloat
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens


class Sppo(PolicyLoss):
    """The log-ratio of a sequence is led to what it deserves."""

    dense: ClassVar[bool] = True

    name: str = "sppo"
    """The loss."""
    eta: PositiveFloat = 1000.0
    """The log-ratio (nats) that an advantage of 1 deserves."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        return sppo(tokens.logprobs, tokens.old_logprobs, tokens.advantages, tokens.lengths, self.eta)


def sppo(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, lengths: list[int], eta: float) -> TokenLoss:
    """Return SPPO's loss of each token, `[A]`, from `[A]` each and the tokens of each sequence; nothing is clipped."""
    parts = (logprobs - old_logprobs).split(lengths)
    ratios = torch.cat([logprobs[:0], *(part.sum().expand(len(part)) for part in parts)])
    return TokenLoss((ratios - eta * advantages) ** 2, torch.zeros_like(advantages))
