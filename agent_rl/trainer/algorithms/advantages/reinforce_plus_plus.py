"""REINFORCE++: rewards normalised over all tokens of the step, with the group's mean as a baseline or without.

    A_t = (B_t - mean(B)) / (std(B) + 1e-6)    over all trained tokens of the step
    B_t = R_i, or with `baseline` R_i - mean of the group's R, for each token t of episode i

Hu et al. 2025, REINFORCE++, arXiv:2501.03262; with the baseline it is the paper's REINFORCE++-baseline. The deviation
is the population's. The paper takes a KL penalty per token off the reward (k1), or adds one to the loss with the
baseline (k2); this file does neither, so that a token's return is its episode's reward.
"""

from torch import Tensor

from agent_rl.trainer.algorithms.advantages import groups as of
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class ReinforcePlusPlus(Advantage):
    """Each episode compared with all of the step."""

    name: str = "reinforce_plus_plus"
    """The estimator."""
    baseline: bool = False
    """Take the mean of the group off the reward before."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        episodes = batch.turn_episodes[batch.turns]
        return reinforce_plus_plus(batch.rewards, batch.groups, episodes, self.baseline)


def reinforce_plus_plus(rewards: Tensor, groups: Tensor, episodes: Tensor, baseline: bool = False) -> Tensor:
    """Return the advantage of each token, `[A]`; 0 where all are equal.

    Args:
        rewards: Of each episode, `[E]`.
        groups: The group of each episode, `[E]`, counted from 0.
        episodes: The episode of each token, `[A]`.
        baseline: Take the mean of the group off the reward before.
    """
    scores = rewards - of.mean(rewards, groups) if baseline else rewards
    return of.whiten(scores[episodes])
