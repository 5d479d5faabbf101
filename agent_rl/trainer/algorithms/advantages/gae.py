"""GAE: generalized advantage estimation over the sampled tokens of an episode, with a value model.

    d_t = r_t + gamma V_(t+1) - V_t
    A_t = d_t + gamma lam A_(t+1)
    G_t = A_t + V_t, which the value model learns

Schulman et al. 2015, High-Dimensional Continuous Control Using Generalized Advantage Estimation, arXiv:1506.02438.
G with a lam of its own (`value_lam`): Yuan et al. 2025, What's Behind PPO's Collapse in Long-CoT?, arXiv:2503.01491.
A with lam = 1 - 1/(alpha L) for an episode of L tokens (`gae_adaptive`): Yue et al. 2025, VAPO, arXiv:2504.05118.

The papers know one turn. Here the steps are the sampled tokens of the whole episode: after a turn's last token comes
the first of the next turn, behind what the environment said, in another part if the context was rewritten. A turn's
reward stands at its last token. After the last turn the value is 0, also where a limit ended the episode. An episode
of fewer than 1/alpha tokens, for which the formula gives a lam below 0, has one of 0.
"""

from abc import abstractmethod
from typing import ClassVar

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from agent_rl.trainer.algorithms.base import Advantage
from agent_rl.trainer.algorithms.batch import Batch


class _WithValues(Advantage):
    needs: ClassVar[frozenset[str]] = frozenset({"values"})

    gamma: float = Field(default=1.0, ge=0.0, le=1.0)
    """Discount of a token."""
    whiten: bool = True
    """Shift and scale the advantages of all tokens of a step to a mean of 0 and a deviation of 1."""

    @abstractmethod
    def lams(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lam of the policy and that of the value model's targets, `[E]` each."""

    def advantages(self, batch: Batch) -> Tensor:
        """Return the advantage of each trained token, `[A]`."""
        found = self._gae(batch, self.lams(batch.episode_lengths)[0])
        return whiten(found) if self.whiten else found

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        """Return what the value model learns, `returns`, `[A]`."""
        return {"returns": self._gae(batch, self.lams(batch.episode_lengths)[1]) + batch.notes["values"]}

    def _gae(self, batch: Batch, lam: Tensor) -> Tensor:
        return gae(batch.notes["values"], batch.token_rewards, batch.episode_lengths, self.gamma, lam)


class Gae(_WithValues):
    """Rewards to come compared with what the value model expected."""

    name: str = "gae"
    """The estimator."""
    lam: float = Field(default=1.0, ge=0.0, le=1.0)
    """How far rewards count more than the values between: 1 is the plain return."""
    value_lam: float | None = Field(default=None, ge=0.0, le=1.0)
    """That of the value model's targets; by default the same."""

    def lams(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lam of the policy and that of the value model's targets, `[E]` each."""
        ones = torch.ones(len(lengths), dtype=torch.float64)
        return self.lam * ones, (self.lam if self.value_lam is None else self.value_lam) * ones


class AdaptiveGae(_WithValues):
    """GAE that looks the further ahead the longer the episode is."""

    name: str = "gae_adaptive"
    """The estimator."""
    alpha: PositiveFloat = 0.05
    """The share of an episode's tokens over which the policy's advantages look ahead."""
    value_lam: float = Field(default=1.0, ge=0.0, le=1.0)
    """The lam of the value model's targets."""

    def lams(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lam of the policy and that of the value model's targets, `[E]` each."""
        return adaptive_lam(lengths, self.alpha), torch.full((len(lengths),), self.value_lam, dtype=torch.float64)


def gae(values: Tensor, rewards: Tensor, lengths: Tensor, gamma: float, lam: Tensor) -> Tensor:
    """Return the advantage of each sampled token, `[A]`.

    Args:
        values: The value before each token, the episodes one behind the other, `[A]`.
        rewards: The reward that stands at each token, `[A]`.
        lengths: Sampled tokens of each episode, `[E]`; they sum to `A`.
        gamma: Discount of a token.
        lam: Of each episode, `[E]`.
    """
    if not len(values):
        return values
    following = torch.cat([values[1:], values[:1]])
    following[lengths.cumsum(0)[lengths > 0] - 1] = 0.0
    gaps = (rewards + gamma * following - values).split(lengths.tolist())
    rows = pad_sequence(list(gaps))  # [L, E], so that each step backwards is one for all episodes
    for t in range(len(rows) - 2, -1, -1):
        rows[t] += gamma * lam.to(rows) * rows[t + 1]
    return torch.cat([row[:length] for row, length in zip(rows.T, lengths.tolist(), strict=True)])


def adaptive_lam(lengths: Tensor, alpha: float) -> Tensor:
    """Return the lam of each episode from its sampled tokens, `[E]`: an advantage sums some `alpha * lengths` gaps."""
    return (1 - 1 / (alpha * lengths.double().clamp(min=1))).clamp(min=0.0)


def whiten(values: Tensor) -> Tensor:
    """Return `(values - mean) / (deviation + 1e-8)`, `[A]`; the deviation is the population's."""
    return (values - values.mean()) / (values.std(correction=0) + 1e-8) if len(values) else values
