"""One attention function for transformers models, over packed sequences (training) and over a slot cache (generation).

It is registered with transformers as `agent_rl`; a model loaded with it gets no S x S mask. The forward call says which
way: `segments=` (lengths of the packed runs of tokens; `behind=` says which continue which, `spread=` where they lie on
several ranks) or `slots=` (a view of the key-value cache).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from agent_rl.models.spread import Spread
from agent_rl.models.tree import over_tree

NAME = "agent_rl"


class Slots(Protocol):
    """What attention needs of a key-value cache during a forward pass."""

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new keys and values `[B, K, T, D]`; return all of the rows' `[B, K, L, D]`."""
        ...

    mask: Tensor | None
    """Added to the scores, `[B, 1, T, L]`, or None when every row sees all of its `L` positions."""


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    segments: Sequence[int] | None = None,
    behind: Sequence[int] | None = None,
    spread: Spread | None = None,
    slots: Slots | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend within segments, or over a slot cache.

    Args:
        module: The attention layer; its `layer_idx` finds the layer in the cache.
        query: `[B, H, T, D]`; `B` is 1 for packed sequences.
        key: `[B, K, T, D]`, `K` heads of keys and values with `H % K == 0`.
        value: `[B, K, T, D]`.
        attention_mask: Must be None: a mask from outside would let packed sequences see each other.
        scaling: Factor of the scores.
        dropout: Must be 0.
        segments: Lengths of the packed runs of tokens; they sum to `T`, on all ranks together.
        behind: How many of the tokens right behind each run continue it; None where all runs are sequences.
        spread: How the packed tokens lie on several ranks; queries, keys and values are of this one's tokens then.
        slots: The cache to extend and attend over.

    Returns:
        The mixed values `[B, T, H, D]`, and None for the weights.

    Raises:
        ValueError: Neither or both of `segments` and `slots` are given, or a mask or dropout is.
    """
    if (segments is None) == (slots is None) or attention_mask is not None or dropout:
        raise ValueError("attention 'agent_rl' takes either segments= or slots=, no mask and no dropout")
    if segments is not None and spread is not None:
        query, key, value = (spread.over_heads(one) for one in (query, key, value))
        return spread.over_tokens(over_tree(query, key, value, scaling, segments, behind or [0] * len(segments))), None
    if segments is not None:
        return over_tree(query, key, value, scaling, segments, behind or [0] * len(segments)), None
    assert slots is not None
    layer: int = module.layer_idx  # type: ignore[assignment]
    return _over_slots(query, *slots.extend(layer, key, value), scaling, slots.mask), None


def _over_slots(query: Tensor, keys: Tensor, values: Tensor, scaling: float | None, mask: Tensor | None) -> Tensor:
    """Fold the heads that share keys into the query length, so that keys and values are read once, not copied."""
    rows, heads, time, width = query.shape
    shared = heads // keys.shape[1]
    folded = query.reshape(rows, keys.shape[1], shared * time, width)
    if mask is not None and time > 1:
        mask = mask.repeat(1, 1, shared, 1)
    elif mask is not None:
        mask = mask.expand(rows, 1, shared, -1)
    mixed = scaled_dot_product_attention(folded, keys, values, attn_mask=mask, scale=scaling)
    return mixed.reshape(rows, heads, time, width).transpose(1, 2)


AttentionInterface.register(NAME, attention)
