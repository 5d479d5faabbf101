"""PRIME: process rewards of an implicit reward model, learned online, beside the outcome.

    A_t = sum over s from t on of gamma^(s-t) (r_s - b) + R_i - mean over j != i of R_j
    b = mean over j != i of (the mean of r over the tokens of episode j)

over the usable episodes of a group; r is the process reward of a token (process.py). Cui et al. 2025, Process
Reinforcement through Implicit Rewards, arXiv:2502.01456, with RLOO as there. The paper also leaves out tasks that are
too easy or too hard, which `rollout.dynamic_sampling` does for those whose rewards are all equal. The sum runs over the
sampled tokens of the whole episode, behind what the environment said.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.trainer.algorithms.advantages.gae import gae
from agent_rl.trainer.algorithms.advantages.rloo import rloo
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Prime(Advantage):
    """Each token by what the process reward model sees to come of it, and each episode by its outcome."""

    needs: ClassVar[frozenset[str]] = frozenset({"process", "reference"})

    name: str = "prime"
    """The estimator."""
    gamma: float = Field(default=1.0, ge=0.0, le=1.0)
    """Discount of a token, of the process rewards."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        lengths, process = batch.episode_lengths, batch.notes["process"]
        outcomes = batch.by_episode(rloo(batch.rewards, batch.groups))
        return process_returns(process, lengths, batch.groups, self.gamma) + outcomes

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        """Return what the process reward model learns, `outcome`, `[A]`: the reward of the episode, from 0 to 1."""
        return {"outcome": batch.by_episode(batch.rewards.clamp(0.0, 1.0))}


def process_returns(rewards: Tensor, lengths: Tensor, groups: Tensor, gamma: float) -> Tensor:
    """Return what comes from each token on of its process reward less the baseline, `[A]`.

    Args:
        rewards: The process reward of each sampled token, the episodes one behind the other, `[A]`.
        lengths: Sampled tokens of each episode, `[E]`; they sum to `A`.
        groups: The group of each episode, `[E]`, counted from 0.
        gamma: Discount of a token.
    """
    episodes = torch.arange(len(lengths)).repeat_interleave(lengths)
    means = torch.zeros(len(lengths), dtype=torch.float64).index_add(0, episodes, rewards) / lengths.clamp(min=1)
    baselines = means - rloo(means, groups)  # what `rloo` takes off; of a single episode its own mean
    centred = rewards - baselines[episodes]
    return gae(torch.zeros_like(centred), centred, lengths, gamma, torch.ones(len(lengths), dtype=torch.float64))
