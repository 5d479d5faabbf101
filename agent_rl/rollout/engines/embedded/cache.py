"""The key-value cache: one row per episode, the rows that generate in front.

Rows are kept dense: rows `[0, active)` generate, rows `[active, used)` belong to episodes that wait for their tools. A
row that changes sides swaps places with the one at the border, which copies two short rows; in return every step works
on plain slices, without gathering keys and without computing anything for rows that wait.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_GROW = 128


@dataclass(frozen=True)
class Shape:
    """What the cache needs to know of a model."""

    layers: int
    heads: int
    width: int
    context: int


class RowCache:
    """Keys and values `[rows, layers, 2, K, capacity, D]` and the tokens they were computed from."""

    def __init__(self, shape: Shape, rows: int, dtype: torch.dtype, device: torch.device) -> None:
        """Allocate for `rows` episodes; the capacity in positions grows when needed, up to the model's context."""
        self.shape = shape
        self.rows = rows
        self.capacity = min(2 * _GROW, shape.context)
        self.data = torch.zeros(
            rows, shape.layers, 2, shape.heads, self.capacity, shape.width, dtype=dtype, device=device
        )
        self.tokens = np.zeros((rows, self.capacity), dtype=np.int64)
        self.lengths = np.zeros(rows, dtype=np.int64)

    @torch.inference_mode()
    def reserve(self, positions: int) -> None:
        """Make room for `positions` in every row."""
        if positions <= self.capacity:
            return
        capacity = min(-(-positions // _GROW) * _GROW, self.shape.context)
        if positions > capacity:
            raise ValueError(f"{positions} positions exceed the model's context of {self.shape.context}")
        grown = self.data.new_zeros(*self.data.shape[:4], capacity, self.data.shape[5])
        grown[..., : self.capacity, :] = self.data
        tokens = np.zeros((self.rows, capacity), dtype=np.int64)
        tokens[:, : self.capacity] = self.tokens
        self.data, self.tokens, self.capacity = grown, tokens, capacity

    @torch.inference_mode()
    def swap(self, one: int, other: int) -> None:
        """Exchange two rows."""
        if one == other:
            return
        length = int(max(self.lengths[one], self.lengths[other]))
        kept = self.data[one, ..., :length, :].clone()
        self.data[one, ..., :length, :] = self.data[other, ..., :length, :]
        self.data[other, ..., :length, :] = kept
        self.tokens[[one, other]] = self.tokens[[other, one]]
        self.lengths[[one, other]] = self.lengths[[other, one]]

    @torch.inference_mode()
    def copy_prefix(self, source: int, target: int, length: int) -> None:
        """Make the first `length` positions of `source` the content of `target`."""
        self.data[target, ..., :length, :] = self.data[source, ..., :length, :]
        self.tokens[target, :length] = self.tokens[source, :length]
        self.lengths[target] = length

    def longest_prefix(self, tokens: np.ndarray, used: int) -> tuple[int, int]:
        """Return the row among the first `used` that shares the longest prefix with `tokens`, and its length."""
        limit = min(len(tokens), self.capacity)
        if not used or not limit:
            return 0, 0
        differs = self.tokens[:used, :limit] != tokens[:limit]
        first = np.where(differs.any(1), differs.argmax(1), limit)
        shared = np.minimum(first, self.lengths[:used])
        row = int(shared.argmax())
        return row, int(shared[row])


class Extension:
    """A forward pass that appends to rows `[first, first + B)`; the `slots=` of the attention function."""

    def __init__(self, cache: RowCache, first: int, starts: np.ndarray, counts: np.ndarray) -> None:
        """Append `counts` `[B]` positions to the rows, from `starts` `[B]` on.

        The pass is as wide as the largest count `T`; what a row has less is padding at the position after its last,
        which the row's next pass overwrites.
        """
        count = len(starts)
        device = cache.data.device
        begins = torch.from_numpy(starts).to(device)[:, None]
        width = torch.arange(int(counts.max()), device=device)
        self.positions = begins + torch.minimum(width, torch.from_numpy(counts).to(device)[:, None])
        self.length = int((starts + counts).max())
        if (counts != counts[0]).any():
            self.length = min(self.length + 1, cache.capacity)
        self._data = cache.data[first : first + count]
        self._rows = torch.arange(count, device=device)[:, None]
        visible = torch.arange(self.length, device=device) <= self.positions[..., None]
        blocked = torch.zeros(visible.shape, dtype=cache.data.dtype, device=device).masked_fill_(
            ~visible, float("-inf")
        )
        self.mask: Tensor | None = blocked[:, None]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values `[B, K, T, D]` and return all up to the longest row, `[B, K, L, D]`."""
        old_keys, old_values = self._data[:, layer, 0], self._data[:, layer, 1]
        old_keys[self._rows, :, self.positions] = keys.transpose(1, 2)
        old_values[self._rows, :, self.positions] = values.transpose(1, 2)
        return old_keys[:, :, : self.length], old_values[:, :, : self.length]
