"""The section `algorithm.supervised`: successful episodes are learned by heart as well.

    loss = (the policy loss of the mini batch) + weight * mean over its tokens of successful episodes of -log p(a_t)

Yue et al. 2025, VAPO, arXiv:2504.05118 (positive-example language-model loss; the weight is 0.1 there). Each mini batch
has a mean of its own, whatever `algorithm.aggregation` says of the policy loss. An episode is successful by the reward
that the environment gave, before overlong shaping and KL take anything off.
"""

import torch
from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor

from agent_rl.core.settings import Settings
from agent_rl.trainer.algorithms.batch import Batch


class SupervisedSettings(Settings):
    """How much successful episodes are learned by heart, beside what the policy loss makes of them."""

    weight: float = Field(default=0.0, ge=0.0)
    """Weight of the mean negative log-likelihood (nats) of the tokens of successful episodes."""
    success_at: PositiveFloat = 1.0
    """The reward from which an episode is successful."""

    @model_validator(mode="after")
    def _read(self) -> "SupervisedSettings":
        if self.success_at != 1.0 and not self.weight:
            raise ValueError("success_at has no effect with weight=0")
        return self

    def mark(self, batch: Batch) -> Batch:
        """Return the batch with the note `successful`, 1 at the tokens that are learned by heart, if any are to be."""
        if not self.weight:
            return batch
        return batch.noted(successful=batch.by_episode((batch.rewards >= self.success_at).double()))


def supervised_weights(weight: float, successful: Tensor, factors: Tensor, divisor: float) -> Tensor:
    """Return by what -log p of each token is multiplied before it is averaged as the policy loss is, `[A]`.

    Args:
        weight: That of the mean over the successful tokens.
        successful: 1 at their tokens, else 0, `[A]`, of a whole mini batch.
        factors: Of each token in the sum that is the loss of the mini batch, `[A]`, above 0.
        divisor: By which that sum is divided.
    """
    shares: Tensor = successful / successful.sum().clamp(min=1.0)
    return torch.where(successful > 0, weight * shares * divisor / factors, 0.0)
