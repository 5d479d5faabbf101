"""The section `algorithm.correction`: what is done where the engine samples from another policy than that which trains.

    w = exp(log p_old - log p_engine)    of a token; of a turn or a sequence the product over its tokens
    truncate: min(max(w, low), high)     mask: w where low <= w <= high, else 0
    loss_t = w_t * (the policy loss of the token)

With `old=trainer`, log p_old is computed by the trainer at the beginning of a step, by the weights that are about to
learn. Truncated: Yao et al. 2025, Your Efficient RL Framework Secretly Brings You Off-Policy RL Training,
https://fengyao.notion.site/off-policy-rl (tokens). Masked: Liu, Li et al. 2025, When Speed Kills Stability,
https://richardli.xyz/rl-collapse (sequences); at tokens with two bounds it is IcePop: Ling Team 2025, Every Step
Evolves, arXiv:2510.18855.

It is also decoupled PPO: Hilton, Cobbe & Schulman 2021, Batch Size-Invariance for Policy Optimization,
arXiv:2110.00641. The recomputed policy is the proximal one, from which `clip` measures its ratio; that of the engine,
of older weights in the asynchronous modes, is the behaviour; `weights=truncate high=.inf` is the formula. The paper's
proximal policy is a moving average of weights, ours has the weights of the beginning of the step.

With `sampling.top_p` or `top_k` a token is drawn from a part S of all tokens. Then log p(a) - log p(S) stands for
log p(a) everywhere, of the policy, old and new, and of the reference, with the S that the token was drawn from, which
the engine hands over: DeepSeek-AI 2025, DeepSeek-V3.2, arXiv:2512.02556 (keep sampling mask). It needs no setting.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from agent_rl.core.settings import Settings
from agent_rl.trainer.algorithms.batch import Batch

Level = Literal["token", "turn", "sequence"]
Bounding = Literal["truncate", "mask"]


class CorrectionSettings(Settings):
    """Where old log-probabilities come from, and the weights that follow."""

    old: Literal["engine", "trainer"] = "engine"
    """Old log-probabilities: those that the engine sampled with, or recomputed when a step begins."""
    weights: Literal["none"] | Bounding = "none"
    """What becomes of a weight outside the bounds: it is truncated to them, or masked, which makes it 0."""
    level: Level = "token"
    """What has a weight: each token, each turn or each sequence."""
    low: float = Field(default=0.0, ge=0.0)
    """Lower bound of a weight."""
    high: float = Field(default=2.0, gt=0.0)
    """Upper bound of a weight."""

    @model_validator(mode="after")
    def _all_is_read(self) -> "CorrectionSettings":
        """Refuse settings that nothing would read."""
        if self.old == "engine" and self.weights != "none":
            raise ValueError("weights has no effect with old=engine: they would all be 1; set old=trainer")
        unread = [
            name for name in ("level", "low", "high") if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.weights == "none" and unread:
            raise ValueError(f"{unread[0]} has no effect with weights=none")
        if self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}")
        return self

    @property
    def needs(self) -> frozenset[str]:
        """The notes that are read."""
        return frozenset(["old"]) if self.old == "trainer" else frozenset()

    def weigh(self, batch: Batch) -> Batch:
        """Return the batch with the note `correction`, the weight of each token's loss, where there are weights."""
        if self.weights == "none":
            return batch
        groups = {"token": None, "turn": batch.turns, "sequence": batch.turn_trajectories[batch.turns]}[self.level]
        gap = batch.old_logprobs - batch.engine_logprobs
        return batch.noted(correction=bounded(gap, groups, self.weights, self.low, self.high))


def bounded(gap: Tensor, groups: Tensor | None, bounding: Bounding, low: float, high: float) -> Tensor:
    """Return the weight of each token, `[A]`.

    Args:
        gap: Log-probability of the trainer less that of the engine, `[A]`.
        groups: The number of each token's turn or sequence, `[A]`; None for weights of single tokens.
        bounding: What becomes of weights outside the bounds.
        low: Lower bound.
        high: Upper bound.
    """
    if groups is not None and len(groups):
        gap = gap.new_zeros(int(groups.max()) + 1).index_add(0, groups, gap)[groups]
    weights = gap.exp()
    if bounding == "truncate":
        return weights.clamp(low, high)
    return torch.where((weights >= low) & (weights <= high), weights, 0.0)
