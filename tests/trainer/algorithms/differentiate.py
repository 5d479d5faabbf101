"""A loss with its gradient, for comparisons with formulas in NumPy."""

from collections.abc import Callable

import numpy as np
import torch

from agent_rl.trainer.algorithms import TokenLoss


def differentiated(loss: Callable[[torch.Tensor], TokenLoss], new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of each token and the derivative of their sum by each log-probability."""
    logprobs = torch.tensor(new, requires_grad=True)
    result = loss(logprobs)
    (gradient,) = torch.autograd.grad(result.loss.sum(), logprobs)
    return result.loss.detach().numpy(), gradient.numpy()


def drawn(seed: int = 0, count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return new and old log-probabilities and advantages, some of which are 0."""
    rng = np.random.default_rng(seed)
    old, advantages = rng.normal(-2.0, 1.0, size=count), rng.normal(size=count)
    advantages[rng.random(count) < 0.1] = 0.0
    return old + rng.normal(0.0, 0.5, size=count), old, advantages
