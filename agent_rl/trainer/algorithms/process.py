"""What the implicit process reward model of `prime` learns: whether an episode succeeds, from its tokens.

    r_t = beta (log p_process(a_t) - log p_reference(a_t))    the process reward of a token
    loss = -(R log sigmoid(s) + (1 - R) log sigmoid(-s)),    s = the sum of r_t over a trajectory

R is the reward of the episode, held between 0 and 1. Cui et al. 2025, Process Reinforcement through Implicit Rewards,
arXiv:2502.01456; that r_t is then a reward for each step: Yuan et al. 2024, Free Process Rewards without Process
Labels, arXiv:2412.01981. The parts of an episode whose context was rewritten are judged each for itself.
"""

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from agent_rl.core.settings import Settings
from agent_rl.trainer.optimizer import OptimizerSettings


class ProcessSettings(Settings):
    """The process reward model, where the algorithm needs one: it begins as the policy does."""

    beta: PositiveFloat = 0.05
    """What a log-ratio (nats) is worth as a reward."""
    optimizer: OptimizerSettings = OptimizerSettings()
    """Its optimizer."""


def process_loss(rewards: Tensor, outcomes: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Return the loss of each trajectory, `[T]`, and whether the model takes the right side, `[T]`.

    Args:
        rewards: The process reward of each trained token, with a gradient, `[A]`.
        outcomes: The outcome of each trajectory, from 0 to 1, `[T]`.
        lengths: Trained tokens of each trajectory; they sum to `A`.
    """
    sums = torch.stack([part.sum() for part in rewards.split(lengths)])
    right = ((sums > 0) == (outcomes > 0.5)).double()
    return binary_cross_entropy_with_logits(sums, outcomes, reduction="none"), right.detach()
