"""GRPO: group-relative policy optimization.

    A_i = (R_i - mean(R)) / (std(R) + 1e-6)    over the usable episodes of a group; each token of an episode has its A_i

Shao et al. 2024, DeepSeekMath, arXiv:2402.03300. The deviation is the population's, as in `numpy.std`. Without the
division it is the estimator of Dr. GRPO: Liu et al. 2025, Understanding R1-Zero-Like Training, arXiv:2503.20783.
"""

import torch
from torch import Tensor

from agent_rl.trainer.algorithms.advantages import groups as of
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Grpo(Advantage):
    """Each episode compared with the others of its task."""

    name: str = "grpo"
    """The estimator."""
    normalize: bool = True
    """Divide by the group's deviation."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        return batch.by_episode(grpo(batch.rewards, batch.groups, self.normalize))


def grpo(rewards: Tensor, groups: Tensor, normalize: bool = True) -> Tensor:
    """Return the advantage of each episode, `[E]`; 0 for one that has nothing to be compared with.

    Args:
        rewards: `[E]`.
        groups: The group of each episode, `[E]`, counted from 0.
        normalize: Divide by the group's deviation.
    """
    centred = rewards - of.mean(rewards, groups)
    if normalize:
        centred = centred / (of.std(rewards, groups) + 1e-6)
    return torch.where(of.count(groups) > 1, centred, 0.0)
