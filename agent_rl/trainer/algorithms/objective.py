"""The loss of each token as the settings put it together: the policy loss and what is added to it."""

from dataclasses import replace

from torch import Tensor

from agent_rl.trainer.algorithms.base import TokenLoss, Tokens
from agent_rl.trainer.algorithms.kl import estimate
from agent_rl.trainer.algorithms.settings import AlgorithmSettings


def objective(algorithm: AlgorithmSettings, tokens: Tokens, entropy: Tensor | None) -> TokenLoss:
    """Return the loss of each trained token, `[A]`.

    Args:
        algorithm: What to put together.
        tokens: The trained tokens of a micro batch.
        entropy: Of each predicted distribution (nats), with a gradient, `[A]`; None where it is not rewarded.
    """
    result = algorithm.loss.loss(tokens)
    if "correction" in tokens.notes:
        result = replace(result, loss=result.loss * tokens.notes["correction"])
    if algorithm.kl.in_loss:
        kl = estimate(algorithm.kl.estimator, tokens.logprobs, tokens.old_logprobs, tokens.notes["reference"])
        result = replace(result, loss=result.loss + algorithm.kl.coefficient * kl)
    if "supervised" in tokens.notes:
        result = replace(result, loss=result.loss - tokens.notes["supervised"] * tokens.logprobs)
    if entropy is not None:
        result = replace(result, loss=result.loss - algorithm.entropy * entropy)
    return result
