"""GDPO: several rewards, each compared within the group by itself, so that none drowns in another.

    N_i^c = (r_i^c - mean(r^c)) / (std(r^c) + 1e-6)    for each component c, over the usable episodes of a group
    S_i = sum over c of w^c N_i^c
    A_i = (S_i - mean(S)) / (std(S) + 1e-6)            over all usable episodes of the step

Liu et al. 2026, GDPO: Group reward-Decoupled Normalization Policy Optimization for Multi-reward RL Optimization,
arXiv:2601.05242. The deviations are the population's. The weights that an environment gives its components are not
read; those of this file are.
"""

import torch
from pydantic import Field
from torch import Tensor

from agent_rl.core.errors import UserError, nearest
from agent_rl.trainer.algorithms.advantages import groups as of
from agent_rl.trainer.algorithms.advantages.grpo import grpo
from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class Gdpo(Advantage):
    """Each reward component compared with that of the others of its task."""

    name: str = "gdpo"
    """The estimator."""
    weights: dict[str, float] = Field(default_factory=dict)
    """The weight of each reward component, by name; the others count nothing. Without any, each weighs 1."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`.

        Raises:
            UserError: No episode of the step has a component that has a weight, or any component at all.
        """
        weights = self.weights or dict.fromkeys(batch.components, 1.0)
        unknown = next((name for name in weights if name not in batch.components), None)
        if len(batch.rewards) and (unknown or not weights):
            there = f"there are: {', '.join(batch.components) or 'none'}"
            named = f" '{unknown}'{nearest(unknown, batch.components)}" if unknown else "s to learn from"
            raise UserError(f"algorithm.advantage: the environment has no reward component{named} ({there})")
        components = [batch.components[name] for name in weights if name in batch.components]
        return batch.by_episode(gdpo(components, list(weights.values()), batch.groups))


def gdpo(components: list[Tensor], weights: list[float], groups: Tensor) -> Tensor:
    """Return the advantage of each episode, `[E]`, float64.

    Args:
        components: The value of each component in each episode, `[E]` each.
        weights: Of each component.
        groups: The group of each episode, `[E]`, counted from 0.
    """
    total = torch.zeros(len(groups), dtype=torch.float64)
    for values, weight in zip(components, weights, strict=bool(len(groups))):
        total = total + weight * grpo(values, groups)
    return of.whiten(total)
