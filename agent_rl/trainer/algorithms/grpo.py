"""GRPO: group-relative policy optimization.

    A_i = (R_i - mean(R)) / (std(R) + 1e-6)                                    over the usable episodes of a group
    r_t = exp(log p(a_t) - log p_old(a_t))
    loss_t = -min(r_t A, clip(r_t, 1 - clip_low, 1 + clip_high) A)             mean over the tokens of a mini batch

Shao et al. 2024, DeepSeekMath, arXiv:2402.03300. The wider upper clip and the mean over tokens are from Yu et al. 2025,
DAPO, arXiv:2503.14476. The deviation is the population's, as in `numpy.std`.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.core.settings import Settings
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms.base import TokenLoss


class GrpoSettings(Settings):
    """Settings of GRPO."""

    name: Literal["grpo"] = "grpo"
    """The algorithm."""
    samples: int = Field(default=8, ge=2)
    """Episodes per task, compared with each other."""
    clip_low: float = Field(default=0.2, ge=0.0, lt=1.0)
    """How far a ratio may fall below 1 before its gradient is cut."""
    clip_high: float = Field(default=0.28, ge=0.0)
    """How far a ratio may rise above 1 before its gradient is cut."""
    normalize: bool = True
    """Divide by the group's deviation."""


class Grpo:
    """The estimator and the loss above."""

    def __init__(self, settings: GrpoSettings) -> None:
        """Keep the settings."""
        self.settings = settings

    @property
    def samples(self) -> int:
        """Episodes per task."""
        return self.settings.samples

    def advantages(self, group: Group) -> list[float]:
        """Return the advantage of each trajectory; 0 for unusable ones, which the mean and deviation leave out.

        An episode of several trajectories counts once, and each of them has its advantage.
        """
        rewards = torch.tensor(group.rewards, dtype=torch.float64)
        if len(rewards) < 2:
            return [0.0] * len(group.trajectories)
        scale = rewards.std(correction=0) + 1e-6 if self.settings.normalize else 1.0
        centred = ((rewards - rewards.mean()) / scale).tolist()
        by_sample = {episode[0].sample: value for episode, value in zip(group.usable, centred, strict=True)}
        return [by_sample.get(t.sample, 0.0) for t in group.trajectories]

    def loss(self, logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor) -> TokenLoss:
        """Return the clipped loss of each token, `[A]`."""
        ratio = (logprobs - old_logprobs).exp()
        bounded = ratio.clamp(1 - self.settings.clip_low, 1 + self.settings.clip_high)
        free, held = ratio * advantages, bounded * advantages
        return TokenLoss(-torch.minimum(free, held), (held < free).float())
