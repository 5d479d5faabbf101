"""Pass@k training: the mean advantage of an episode in all sets of k of its group, where a set is right if one is.

    p = 1 - C(m, k) / C(n, k),    s = sqrt(p (1 - p))    of n usable episodes m are wrong
    A_right = (1 - p) / s
    A_wrong = (1 - p - C(m-1, k-1) / C(n-1, k-1)) / s

Chen et al. 2025, Pass@k Training for Adaptively Balancing Exploration and Exploitation of Large Reasoning Models,
arXiv:2508.10751, the analytic form. The paper's rewards are 0 and 1; here an episode is right from `success_at` on.
A group in which s is 0 teaches nothing, nor one of k episodes or fewer, which has no two sets to compare.
"""

from math import comb, sqrt

from pydantic import PositiveInt
from torch import Tensor

from agent_rl.core.errors import UserError
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class PassAtK(Advantage):
    """Each episode by what it adds to sets of k, of which one episode has to be right."""

    name: str = "pass_at_k"
    """The estimator."""
    k: PositiveInt = 4
    """Episodes in a set; fewer than `algorithm.samples`."""
    success_at: float = 1.0
    """Reward from which an episode is right."""

    def check(self, samples: int) -> None:
        """Refuse groups that hold one set of k at most."""
        if samples <= self.k:
            raise UserError(f"algorithm.advantage.k={self.k} needs algorithm.samples={self.k + 1} or more")

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        return batch.by_episode(pass_at_k(batch.rewards >= self.success_at, batch.groups, self.k).to(batch.rewards))


def pass_at_k(right: Tensor, groups: Tensor, k: int) -> Tensor:
    """Return the advantage of each episode, `[E]`, float64.

    Args:
        right: Whether each episode is right, `[E]`.
        groups: The group of each episode, `[E]`, counted from 0.
        k: Episodes in a set.
    """
    found = right.double() * 0.0
    for group in groups.unique():
        mine = groups == group
        n, wrong = int(mine.sum()), int((mine & ~right).sum())
        passed = 1 - comb(wrong, k) / comb(n, k) if n > k else 0.0
        if 0 < passed < 1:
            deviation = sqrt(passed * (1 - passed))
            found[mine & right] = (1 - passed) / deviation
            found[mine & ~right] = (1 - passed - comb(wrong - 1, k - 1) / comb(n - 1, k - 1)) / deviation
    return found
