"""Turn-level GRPO: the rewards of turns reach the turns that earned them, and the outcome reaches all.

    O_i = norm(r_i,K)                                      the outcome: the reward of the last turn K, over the group
    T_i,k = norm(r_i,k + r_i,k+1 + ... + r_i,K-1)          over the group's episodes that have a turn k before the last
    A_i,k = T_i,k + w O_i    for k < K,    A_i,K = O_i     for each token of turn k

with norm as in GRPO. Zeng et al. 2025, Reinforcing Multi-Turn Reasoning in LLM Agents via Turn-Level Reward Design,
arXiv:2505.11821. With two turns, a search and an answer, it is the MT-GRPO of the paper's first version; how it goes on
to more turns is ours: a turn has the turns' rewards from it on and is compared with the turns of the same number.
"""

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.advantages import turns
from agent_rl.trainer.algorithms.advantages.grpo import grpo
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class TurnGrpo(Advantage):
    """Each turn compared with the turns of the same number of its task, and each outcome with the others."""

    name: str = "turn_grpo"
    """The estimator."""
    normalize: bool = True
    """Divide by the deviation."""
    outcome: float = Field(default=1.0, ge=0.0)
    """Weight of the outcome in the turns before the last."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        return batch.by_turn(
            turn_grpo(batch.turn_rewards, batch.turn_episodes, batch.turn_groups, self.outcome, self.normalize)
        )


def turn_grpo(
    rewards: Tensor, episodes: Tensor, groups: Tensor, outcome: float = 1.0, normalize: bool = True
) -> Tensor:
    """Return the advantage of each turn, `[U]`; what has nothing to be compared with adds 0.

    Args:
        rewards: Of each turn, `[U]`.
        episodes: The episode of each turn, `[U]`; the turns of an episode lie one behind the other.
        groups: The group of each turn, `[U]`, counted from 0.
        outcome: Weight of the outcome in the turns before the last.
        normalize: Divide by the deviation.
    """
    ends = turns.last(episodes)
    outcomes = grpo(rewards[ends], groups[ends], normalize)
    _, places = episodes.unique_consecutive(return_inverse=True)
    found, before = outcomes[places], ~ends
    ahead = turns.returns(torch.where(before, rewards, 0.0), episodes)[before]
    numbers = turns.numbers(episodes)[before]
    _, peers = torch.stack([groups[before], numbers]).unique(dim=1, return_inverse=True)
    found[before] = grpo(ahead, peers, normalize) + outcome * found[before]
    return found
