"""Overlong shaping: an episode that comes near its limit of tokens loses some of its reward.

    R' = R + p * clip((L - c - n) / c, -1, 0)    of n tokens, with the limit L and c = share * L

Yu et al. 2025, DAPO, arXiv:2503.14476 (soft overlong punishment; L is 20,480 and c 4,096 there, a share of 0.2). The
paper counts what is sampled; here the whole episode counts, as `rollout.limits.episode_tokens` does, and of an episode
that became several trajectories the longest. An episode that ended because something did not fit is at the limit.
"""

from dataclasses import replace

import torch
from pydantic import Field, model_validator
from torch import Tensor

from agent_rl.core.outcome import StopReason
from agent_rl.core.settings import Settings
from agent_rl.trainer.algorithms.advantages import turns
from agent_rl.trainer.algorithms.batch import Batch


class Overlong(Settings):
    """What an episode loses near its limit of tokens, before the estimator sees it."""

    share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of `rollout.limits.episode_tokens`, at its end, over which the reward falls; 0 leaves rewards alone."""
    penalty: float = Field(default=1.0, ge=0.0)
    """What an episode at the limit loses."""

    @model_validator(mode="after")
    def _read(self) -> "Overlong":
        if self.penalty != 1.0 and not self.share:
            raise ValueError("penalty has no effect with share=0")
        return self

    def shaped(self, batch: Batch, limit: int) -> Batch:
        """Return the batch with what is lost as the reward component `overlong`, in the last turn of each episode."""
        if not self.share or not batch.trajectories:
            return batch
        sizes = [limit if t.stop is StopReason.EPISODE_LENGTH else len(t.tokens) for t in batch.trajectories]
        longest = torch.zeros(len(batch.rewards), dtype=torch.float64)
        longest.scatter_reduce_(0, batch.episodes, torch.tensor(sizes, dtype=torch.float64), "amax")
        lost = self.penalty * overlong(longest, limit, self.share)
        at_end = torch.where(turns.last(batch.turn_episodes), lost[batch.turn_episodes], 0.0)
        return replace(
            batch,
            rewards=batch.rewards + lost,
            turn_rewards=batch.turn_rewards + at_end,
            components=batch.components | {"overlong": lost},
        )


def overlong(lengths: Tensor, limit: int, share: float) -> Tensor:
    """Return what is added to rewards, from 0 down to -1, `[E]`.

    Args:
        lengths: Tokens of each episode, `[E]`.
        limit: Most tokens of an episode.
        share: Of the limit, above 0, over which rewards fall.
    """
    room = share * limit
    return ((limit - room - lengths) / room).clamp(-1.0, 0.0)
