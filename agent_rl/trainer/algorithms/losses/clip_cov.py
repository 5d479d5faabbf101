"""Clip-Cov: a few tokens, drawn among those that make the entropy fall, have no gradient.

    chosen: share * A tokens at random of those with cov_low < c_t < cov_high    (c_t: covariance.py)
    loss_t = 0 where chosen, else the loss of `clip`

Cui et al. 2025, The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv:2505.22617. The
paper's formula has no clip, its authors' code has: `clip_low=1 clip_high=.inf` is the formula. Ours draws before the
clip is known, so among clipped tokens too. What is drawn depends on how many tokens there are to draw from, and on
nothing else, so that a resumed run draws the same.
"""

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.base import TokenLoss, Tokens
from agent_rl.trainer.algorithms.losses.clip import Clip
from agent_rl.trainer.algorithms.losses.covariance import covariance


class ClipCov(Clip):
    """The clipped surrogate without a few of the tokens of high covariance."""

    name: str = "clip_cov"
    """The loss."""
    clip_low: float = Field(default=0.2, ge=0.0, le=1.0)
    """How far a ratio may fall below 1 before its gradient is cut."""
    share: float = Field(default=2e-4, gt=0.0, le=1.0)
    """Of the mini batch's tokens, those that lose their gradient; at least one."""
    cov_low: float = 1.0
    """Covariance above which a token may be drawn."""
    cov_high: float = 5.0
    """Covariance below which a token may be drawn."""

    def prepare(self, old_logprobs: Tensor, advantages: Tensor) -> dict[str, Tensor]:
        """Return the note `kept`: 0 at the tokens that lose their gradient, else 1, `[A]`."""
        chosen = drawn(covariance(old_logprobs, advantages), self.share, self.cov_low, self.cov_high)
        return {"kept": 1 - chosen}

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        result, kept = super().loss(tokens), tokens.notes["kept"]
        return TokenLoss(torch.where(kept > 0, result.loss, 0.0), torch.where(kept > 0, result.clipped, 1.0))


def drawn(covariances: Tensor, share: float, low: float, high: float) -> Tensor:
    """Return 1 at the tokens that are drawn, else 0, `[A]`, from the covariance of each."""
    candidates = ((covariances > low) & (covariances < high)).nonzero()[:, 0]
    order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(0))
    chosen = torch.zeros_like(covariances)
    chosen[candidates[order[: max(1, int(share * len(covariances)))]]] = 1.0
    return chosen
