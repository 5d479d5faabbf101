"""Figures of the turns of episodes: what estimators that tell turns apart compare.

Shapes: `U` turns with the episode of each, `[U]`; the turns of an episode lie one behind the other.
"""

import torch
from torch import Tensor


def numbers(episodes: Tensor) -> Tensor:
    """Return the place of each turn in its episode, counted from 0, `[U]`."""
    _, sizes = episodes.unique_consecutive(return_counts=True)
    first = sizes.cumsum(0) - sizes
    places: Tensor = torch.arange(len(episodes)) - first.repeat_interleave(sizes)
    return places


def last(episodes: Tensor) -> Tensor:
    """Return whether each turn is the last of its episode, `[U]`."""
    _, sizes = episodes.unique_consecutive(return_counts=True)
    ends = torch.zeros(len(episodes), dtype=torch.bool)
    ends[sizes.cumsum(0) - 1] = True
    return ends


def returns(rewards: Tensor, episodes: Tensor, discount: float = 1.0) -> Tensor:
    """Return what comes from each turn on: its reward and the later ones of its episode, discounted by turns, `[U]`."""
    ends, after, found = last(episodes).tolist(), 0.0, []
    for reward, end in zip(reversed(rewards.tolist()), reversed(ends), strict=True):
        after = reward if end else reward + discount * after
        found.append(after)
    return rewards.new_tensor(found[::-1])
