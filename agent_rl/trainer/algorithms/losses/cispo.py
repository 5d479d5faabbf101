"""CISPO: the weight of importance sampling is clipped, and every token keeps a gradient.

    r_t = exp(log p(a_t) - log p_old(a_t))
    loss_t = -stop_gradient(clip(r_t, 1 - clip_low, 1 + clip_high)) A_t log p(a_t)

MiniMax 2025, MiniMax-M1: Scaling Test-Time Compute Efficiently with Lightning Attention, arXiv:2506.13585; there
`aggregation` is `token` and there is no lower bound, which is `clip_low=1`. The default of the upper bound is ours.
"""

from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.base import PolicyLoss, TokenLoss, Tokens


class Cispo(PolicyLoss):
    """Clipped weights of importance sampling."""

    name: str = "cispo"
    """The loss."""
    clip_low: float = Field(default=1.0, ge=0.0, le=1.0)
    """How far below 1 the weight of a token may fall; 1 is no bound."""
    clip_high: float = Field(default=4.0, ge=0.0)
    """How far above 1 the weight of a token may rise."""

    def loss(self, tokens: Tokens) -> TokenLoss:
        """Return the loss of each trained token, `[A]`."""
        return cispo(tokens.logprobs, tokens.old_logprobs, tokens.advantages, self.clip_low, self.clip_high)


def cispo(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_low: float, clip_high: float) -> TokenLoss:
    """Return CISPO's loss of each token, `[A]`, from `[A]` each; `clipped` is 1 where the weight was bounded."""
    ratio = (logprobs - old_logprobs).detach().exp()
    weight = ratio.clamp(1 - clip_low, 1 + clip_high)
    return TokenLoss(-weight * advantages * logprobs, (weight != ratio).float())
