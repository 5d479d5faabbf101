"""RLOO: REINFORCE whose baseline is the mean of the group's other episodes.

    A_i = R_i - 1/(n-1) * sum over j != i of R_j    over the n usable episodes of a group

Ahmadian et al. 2024, Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in LLMs,
arXiv:2402.14740. The paper has no clip: with one optimizer step on a rollout (`trainer.mini_batches=1`) the clipped
surrogate has the gradient of REINFORCE.
"""

import torch
from torch import Tensor

from agent_rl.trainer.algorithms.advantages import groups as of
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Rloo(Advantage):
    """Each episode compared with the mean of the others of its task."""

    name: str = "rloo"
    """The estimator."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        return batch.by_episode(rloo(batch.rewards, batch.groups))


def rloo(rewards: Tensor, groups: Tensor) -> Tensor:
    """Return the advantage of each episode, `[E]`; 0 for one that has nothing to be compared with.

    Args:
        rewards: `[E]`.
        groups: The group of each episode, `[E]`, counted from 0.
    """
    count = of.count(groups)
    others = (of.total(rewards, groups) - rewards) / (count - 1).clamp(min=1)
    return torch.where(count > 1, rewards - others, 0.0)
