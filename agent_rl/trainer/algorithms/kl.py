"""The section `algorithm.kl`: the distance of the policy from a reference, estimated from the tokens that were sampled.

    g_t = log p(a_t) - log p_reference(a_t)
    k1 = g_t        k2 = g_t^2 / 2        k3 = exp(-g_t) - 1 + g_t        unbiased = (p(a_t) / p_old(a_t)) k3

As values k1 and k3 are unbiased: Schulman 2020, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html. As
losses they differ: the gradient of k1 is 0 on average, that of k2 is the KL's while the policy is the one that sampled,
that of k3 (GRPO: Shao et al. 2024, arXiv:2402.03300) is biased, and that of `unbiased` is the KL's, of each token given
those before it: DeepSeek-AI 2025, DeepSeek-V3.2, arXiv:2512.02556, where the ratio has a gradient too.

In the loss, coefficient * KL is added to the loss of each token, and averaged as it is. In the reward, the KL of the
old policy, which has no gradient, is taken off: Ouyang et al. 2022, InstructGPT, arXiv:2203.02155, does so token by
token; here a turn pays for its tokens, and an episode for its turns.
"""

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from agent_rl.core.settings import Settings
from agent_rl.trainer.algorithms.batch import Batch

Estimator = Literal["k1", "k2", "k3", "unbiased"]


class KlSettings(Settings):
    """What it costs to leave the reference: the model as it was before the first step."""

    coefficient: float = Field(default=0.0, ge=0.0)
    """Weight of the KL divergence (nats) from the reference; 0: there is no reference."""
    where: Literal["loss", "reward"] = "loss"
    """Whether it is added to the loss of each token or taken off the reward."""
    estimator: Estimator = "k3"
    """How it is estimated: k1, k2, k3, or, in the loss, `unbiased`."""

    @model_validator(mode="after")
    def _all_is_read(self) -> "KlSettings":
        """Refuse settings that nothing would read."""
        if self.coefficient == 0 and (self.where, self.estimator) != ("loss", "k3"):
            raise ValueError("where and estimator have no effect with coefficient=0")
        if self.where == "reward" and self.estimator == "unbiased":
            raise ValueError("estimator=unbiased is for where=loss: without a gradient it is k3")
        return self

    @property
    def needs(self) -> frozenset[str]:
        """The notes that are read."""
        return frozenset(["reference"]) if self.coefficient else frozenset()

    @property
    def in_loss(self) -> bool:
        """Whether there is something to add to the loss."""
        return self.coefficient > 0 and self.where == "loss"

    def charge(self, batch: Batch) -> Batch:
        """Return the batch with the KL taken off the rewards of turns and episodes, if it is to be."""
        if not self.coefficient or self.in_loss:
            return batch
        old = batch.old_logprobs
        paid = self.coefficient * estimate(self.estimator, old, old, batch.notes["reference"])
        turns = torch.zeros_like(batch.turn_rewards).index_add(0, batch.turns, paid)
        episodes = torch.zeros_like(batch.rewards).index_add(0, batch.turn_episodes, turns)
        return replace(batch, turn_rewards=batch.turn_rewards - turns, rewards=batch.rewards - episodes)


def estimate(estimator: Estimator, logprobs: Tensor, old_logprobs: Tensor, reference: Tensor) -> Tensor:
    """Return the estimate of the KL divergence from the reference at each token, `[A]`, from `[A]` each."""
    gap = logprobs - reference
    if estimator == "k1":
        return gap
    if estimator == "k2":
        return gap**2 / 2
    return k3(gap) if estimator == "k3" else (logprobs - old_logprobs).exp() * k3(gap)


def k3(gap: Tensor) -> Tensor:
    """Estimate KL(p | q) from samples of p: `exp(-gap) - 1 + gap` with `gap = log p - log q`, `[A]`."""
    return torch.expm1(-gap) + gap
