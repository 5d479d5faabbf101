"""OPO: on-policy learning with the baseline of least variance, under the paper's assumptions.

    A_i = R_i - b,    b = sum(l_j R_j) / sum(l_j)    over the usable episodes of a group, l_j trained tokens long

Hao et al. 2025, On-Policy RL with Optimal Reward Baseline, arXiv:2505.23585. The paper trains exactly on-policy, which
is `trainer.mini_batches=1`, without KL and entropy terms.
"""

import torch
from torch import Tensor

from agent_rl.trainer.algorithms.advantages import groups as of
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Opo(Advantage):
    """Each episode compared with the mean of its task's, in which each weighs as much as it is long."""

    name: str = "opo"
    """The estimator."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        lengths = torch.bincount(batch.turn_episodes[batch.turns], minlength=len(batch.rewards))
        return batch.by_episode(opo(batch.rewards, lengths, batch.groups))


def opo(rewards: Tensor, lengths: Tensor, groups: Tensor) -> Tensor:
    """Return the advantage of each episode, `[E]`; 0 for one that has nothing to be compared with.

    Args:
        rewards: `[E]`.
        lengths: Trained tokens of each episode, `[E]`.
        groups: The group of each episode, `[E]`, counted from 0.
    """
    weights = lengths.to(rewards)
    baseline = of.total(weights * rewards, groups) / of.total(weights, groups).clamp(min=1.0)
    return torch.where(of.count(groups) > 1, rewards - baseline, 0.0)
