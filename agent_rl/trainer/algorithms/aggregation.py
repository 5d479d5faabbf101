"""How the losses of tokens become the loss of a mini batch: by the weight of each token.

    token        every token of the mini batch weighs the same                      (DAPO, arXiv:2503.14476)
    sequence     every trajectory weighs the same, and every token within it        (GRPO, arXiv:2402.03300)
    trajectory   every episode weighs the same, and every token of its parts    (differs where contexts are rewritten)
    dr_grpo      every token weighs one constant, whatever the lengths              (Dr. GRPO, arXiv:2503.20783)

The weights are those of the whole mini batch, so that the size of micro batches changes nothing beyond rounding.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Aggregation = Literal["token", "sequence", "trajectory", "dr_grpo"]


class Weights(NamedTuple):
    """The loss of a mini batch is `sum(factors * losses) / divisor`.

    Attributes:
        factors: Of each trajectory's tokens, `[T]`.
        divisor: One number.
    """

    factors: Tensor
    divisor: float


def weights(aggregation: Aggregation, lengths: list[int], episodes: list[int], constant: int = 1) -> Weights:
    """Return the weights of a mini batch.

    Args:
        aggregation: By which rule.
        lengths: Trained tokens of each trajectory, `[T]`, each at least 1.
        episodes: The episode of each trajectory, `[T]`; parts of one episode have the same number.
        constant: Tokens that a trajectory is divided by with `dr_grpo`, such as the most that it may sample.
    """
    sizes = torch.tensor(lengths, dtype=torch.float64)
    ones = torch.ones_like(sizes)
    if aggregation == "token":
        return Weights(ones, max(1.0, float(sizes.sum())))
    if aggregation == "sequence":
        return Weights(1 / sizes, max(1.0, float(len(lengths))))
    if aggregation == "dr_grpo":
        return Weights(ones, max(1.0, float(len(lengths) * constant)))
    numbers, places = torch.tensor(episodes, dtype=torch.long).unique(return_inverse=True)
    of_episode = torch.zeros(len(numbers), dtype=torch.float64).index_add(0, places, sizes)
    return Weights(1 / of_episode[places], max(1.0, float(len(numbers))))
