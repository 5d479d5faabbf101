"""Figures of the sequences that tokens belong to: what losses of whole sequences are made of."""

import torch
from torch import Tensor


def mean(values: Tensor, lengths: list[int]) -> Tensor:
    """Return the mean over each token's sequence, `[A]`, from `[A]` and the tokens of each sequence."""
    parts = values.split(lengths)
    return torch.cat([values[:0], *(part.mean().expand(len(part)) for part in parts)])
