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
from agent_rl.core.outcome import StopReason
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
            UserError: There is no component with a weight, although an episode came to its end.
        """
        weights = self.weights or dict.fromkeys(batch.components, 1.0)
        known = {name: weight for name, weight in weights.items() if name in batch.components}
        ended = any(trajectory.stop is StopReason.ANSWERED for trajectory in batch.trajectories)
        if ended and (len(known) < len(weights) or not known):
            raise UserError(_missing([name for name in weights if name not in known], list(batch.components)))
        components = [batch.components[name] for name in known]
        return batch.by_episode(gdpo(components, list(known.values()), batch.groups))


def gdpo(components: list[Tensor], weights: list[float], groups: Tensor) -> Tensor:
    """Return the advantage of each episode, `[E]`, float64.

    Args:
        components: The value of each component in each episode, `[E]` each.
        weights: Of each component.
        groups: The group of each episode, `[E]`, counted from 0.
    """
    total = torch.zeros(len(groups), dtype=torch.float64)
    for values, weight in zip(components, weights, strict=True):
        total = total + weight * grpo(values, groups)
    return of.whiten(total)


def _missing(names: list[str], known: list[str]) -> str:
    what = f"component '{names[0]}'{nearest(names[0], known)}" if names else "components to learn from"
    return f"algorithm.advantage: the environment has no reward {what} (there are: {', '.join(known) or 'none'})"
