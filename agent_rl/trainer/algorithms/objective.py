"""The loss of each token as the settings put it together: the policy loss and what is added to it."""

from dataclasses import replace

import torch
from torch import Tensor

from agent_rl.trainer.algorithms.base import TokenLoss, Tokens
from agent_rl.trainer.algorithms.settings import AlgorithmSettings


def objective(algorithm: AlgorithmSettings, tokens: Tokens, entropy: Tensor | None) -> TokenLoss:
    """Return the loss of each trained token, `[A]`.

    Args:
        algorithm: What to put together.
        tokens: The trained tokens of a micro batch.
        entropy: Of each predicted distribution (nats), with a gradient, `[A]`; None where it is not rewarded.
    """
    result = algorithm.loss.loss(tokens)
    if entropy is not None:
        result = replace(result, loss=result.loss - algorithm.entropy * entropy)
    return result


def k3(gap: Tensor) -> Tensor:
    """Estimate KL(old | new) from samples of the old: `exp(-gap) - 1 + gap` with `gap = log old - log new`, `[A]`."""
    return torch.expm1(-gap) + gap
