"""A Qwen3 forward pass by hand: fused weights, no modules, and a cache that it fills in place."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu
from transformers import PreTrainedModel


@dataclass(frozen=True)
class _Layer:
    """The weights of a layer, fused; the weights of its two input norms are folded into the products that follow."""

    qkv: Tensor
    qk_norm: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor

    @classmethod
    def of(cls, layer: torch.nn.Module, queries: int, shared: int) -> "_Layer":
        """Fuse the weights of a Qwen3 layer with `queries` heads and `shared` heads of keys and values.

        The two halves of a query or key, which the rotary embedding turns as pairs, are interleaved: a turn is then one
        product of complex numbers. Products of queries and keys do not depend on the order.
        """
        w = {name: parameter.detach() for name, parameter in layer.named_parameters()}
        q_norm, k_norm = w["self_attn.q_norm.weight"], w["self_attn.k_norm.weight"]
        width = len(q_norm)
        order = torch.arange(width).view(2, -1).t().flatten()
        qk = torch.cat([w["self_attn.q_proj.weight"], w["self_attn.k_proj.weight"]]).unflatten(0, (-1, width))
        qkv = torch.cat([qk[:, order].flatten(0, 1), w["self_attn.v_proj.weight"]])
        return cls(
            qkv * w["input_layernorm.weight"],
            torch.stack([q_norm[order]] * queries + [k_norm[order]] * shared),
            w["self_attn.o_proj.weight"].t(),
            torch.cat([w["mlp.gate_proj.weight"], w["mlp.up_proj.weight"]]) * w["post_attention_layernorm.weight"],
            w["mlp.down_proj.weight"].t(),
        )


@dataclass(frozen=True)
class Pass:
    """Where the `N` tokens of a forward pass belong: no padding but in the queries of a prefill's attention."""

    rows: Tensor  # the row of each token, `[N]`
    slots: Tensor  # its place among its row's tokens of this pass, `[N]`
    columns: Tensor | slice  # its column in the cache, `[N]`; a slice for a single token in every row
    positions: Tensor  # its position in its conversation, `[N]`
    shape: tuple[int, int]  # rows, and the most tokens of a row
    end: int  # columns that there are after the pass
    mask: Tensor  # `[rows, 1, heads that share keys * slots, end]`


class PlainModel:
    """The weights of a Qwen3 model, prepared for decoding."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Fuse the weights; later changes of the model do not show."""
        config = model.config
        self._queries, self._shared, self._width = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.folded = config.num_attention_heads // config.num_key_value_heads
        self._eps = config.rms_norm_eps
        self._layers = [_Layer.of(layer, self._queries, self._shared) for layer in model.model.layers]
        self._embedding = model.model.embed_tokens.weight.detach()
        self._head = model.lm_head.weight.detach() * model.model.norm.weight.detach()
        every = torch.arange(config.max_position_embeddings)[None]
        cos, sin = (table[0, :, None, : self._width // 2] for table in model.model.rotary_emb(self._embedding, every))
        self._turns = torch.complex(cos, sin)

    def cache(self, rows: int, capacity: int) -> Tensor:
        """Return an empty cache, `[layers, 2, rows, K, capacity, D]`."""
        return torch.zeros(len(self._layers), 2, rows, self._shared, capacity, self._width)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits `[N, V]` of hidden states that `forward` gave."""
        return linear(self._norm(hidden), self._head)

    def forward(self, cache: Tensor, tokens: Tensor, where: Pass) -> Tensor:
        """Return the hidden states of `tokens` before the last norm, `[N, hidden]`, and fill the cache."""
        hidden: Tensor = self._embedding[tokens]
        turns = self._turns[where.positions]
        for layer, old in zip(self._layers, cache, strict=True):
            heads = linear(self._norm(hidden), layer.qkv).view(len(tokens), -1, self._width)
            pairs = (self._norm(heads[:, : -self._shared]) * layer.qk_norm).view(len(tokens), -1, self._width // 2, 2)
            turned = torch.view_as_real(torch.view_as_complex(pairs) * turns).flatten(2)
            keys, values = old[:, : where.shape[0]]
            _store(keys, turned[:, self._queries :], where)
            _store(values, heads[:, -self._shared :], where)
            mixed = self._attend(turned[:, : self._queries], keys[:, :, : where.end], values[:, :, : where.end], where)
            hidden = torch.addmm(hidden, mixed, layer.out)
            gate, up = linear(self._norm(hidden), layer.gate_up).chunk(2, dim=-1)
            hidden = torch.addmm(hidden, silu(gate).mul_(up), layer.down)
        return hidden

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, where: Pass) -> Tensor:
        """Mix the values for `queries` `[N, H, D]`; the heads that share keys are folded into the query length."""
        rows, slots = where.shape
        padded = queries
        if slots > 1:
            padded = queries.new_zeros(rows, self._queries, slots, self._width)
            padded[where.rows, :, where.slots] = queries
        folded = padded.reshape(rows, self._shared, self.folded * slots, self._width)
        mixed: Tensor = scaled_dot_product_attention(folded, keys, values, attn_mask=where.mask)
        if slots > 1:
            mixed = mixed.reshape(padded.shape)[where.rows, :, where.slots]
        return mixed.reshape(len(queries), -1)

    def _norm(self, hidden: Tensor) -> Tensor:
        return rms_norm(hidden, hidden.shape[-1:], eps=self._eps)


def _store(cache: Tensor, new: Tensor, where: Pass) -> None:
    """Write `new` `[N, K, D]` into the cache of a layer, `[B, K, capacity, D]`."""
    if isinstance(where.columns, slice):
        cache[:, :, where.columns] = new[:, :, None]
    else:
        cache[where.rows, :, where.columns] = new
