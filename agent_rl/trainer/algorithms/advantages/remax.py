"""ReMax: REINFORCE whose baseline is the reward of a greedy episode of the same task.

    A_i = R_i - R_greedy    each token of an episode has its A_i

Li et al. 2023, ReMax: A Simple, Effective, and Efficient Reinforcement Learning Method for Aligning Large Language
Models, arXiv:2310.10505. The rollout plays one greedy episode per task together with the `algorithm.samples` (one in
the paper); nothing is learned from its tokens, and a group whose greedy episode failed is left out. The baseline is
the reward that the environment gave: overlong shaping and a KL in the reward are taken off R_i alone. The paper has no
clip: with one optimizer step on a rollout (`trainer.mini_batches=1`) the clipped surrogate has the gradient of
REINFORCE.
"""

from typing import ClassVar

from torch import Tensor

from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Remax(Advantage):
    """Each episode compared with a greedy one of its task."""

    greedy: ClassVar[bool] = True

    name: str = "remax"
    """The estimator."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        return batch.by_episode(remax(batch.rewards, batch.baselines))


def remax(rewards: Tensor, baselines: Tensor) -> Tensor:
    """Return the advantage of each episode, `[E]`, from its reward and that of its task's greedy one, `[E]` each."""
    return rewards - baselines
