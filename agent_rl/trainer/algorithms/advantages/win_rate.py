"""The win rate of an episode among those of its task.

    A_i = 1/n * sum over j of P(i beats j) - 1/2,    P = 1 where R_i > R_j, 1/2 where R_i = R_j, else 0

over the n usable episodes of a group, itself among them. Wu et al. 2024, Self-Play Preference Optimization for Language
Model Alignment, arXiv:2405.00675: a model of preferences judges pairs there; here the rewards do.
"""

import torch
from torch import Tensor

from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class WinRate(Advantage):
    """How often each episode beats the others of its task; by how much is no matter."""

    name: str = "win_rate"
    """The estimator."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        return batch.by_episode(win_rate(batch.rewards, batch.groups))


def win_rate(rewards: Tensor, groups: Tensor) -> Tensor:
    """Return the advantage of each episode, `[E]`, from -1/2 to 1/2; 0 for one that has nothing to be compared with.

    Args:
        rewards: `[E]`.
        groups: The group of each episode, `[E]`, counted from 0.
    """
    found = torch.zeros_like(rewards)
    for members in groups.unique():
        chosen = groups == members
        gaps = rewards[chosen][:, None] - rewards[chosen]
        found[chosen] = gaps.sign().mean(1) / 2
    return found
