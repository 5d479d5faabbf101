"""The covariance of log-probability and advantage: what makes the entropy fall, token by token.

    c_t = (log p_old(a_t) - mean of log p_old) (A_t - mean of A)    means over the tokens of a mini batch

Cui et al. 2025, The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv:2505.22617. There
it is of log p, of the weights that train; ours is of log p_old, which is the same in the first update on a rollout: so
it is known before the mini batch is cut into micro batches.
"""

from torch import Tensor


def covariance(old_logprobs: Tensor, advantages: Tensor) -> Tensor:
    """Return the covariance's part of each token of a mini batch, `[A]`, from `[A]` each."""
    return (old_logprobs - old_logprobs.mean()) * (advantages - advantages.mean())
