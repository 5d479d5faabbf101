"""Figures of the groups that episodes, or turns, belong to: what estimators without a value model compare with.

Shapes: `E` members with a value each, `[E]`, and the number of the group of each, `[E]`, counted from 0.
"""

import torch
from torch import Tensor


def count(groups: Tensor) -> Tensor:
    """Return the size of each member's group, `[E]`."""
    return torch.bincount(groups)[groups]


def total(values: Tensor, groups: Tensor) -> Tensor:
    """Return the sum over each member's group, `[E]`."""
    sums = values.new_zeros(int(groups.max()) + 1 if len(groups) else 0)
    return sums.index_add(0, groups, values)[groups]


def mean(values: Tensor, groups: Tensor) -> Tensor:
    """Return the mean over each member's group, `[E]`."""
    return total(values, groups) / count(groups)


def std(values: Tensor, groups: Tensor) -> Tensor:
    """Return the population's standard deviation of each member's group, `[E]`, as `numpy.std` gives it."""
    return mean((values - mean(values, groups)) ** 2, groups).sqrt()


def whiten(values: Tensor) -> Tensor:
    """Return values less their mean, divided by their deviation plus 1e-6, `[E]`; 0 where all are equal."""
    if len(values) == 0 or bool((values == values[0]).all()):
        return torch.zeros_like(values)
    centred = values - values.mean()
    return centred / (centred.square().mean().sqrt() + 1e-6)
