"""The limit: the tightest plain decoding loop for the benchmark's model, written by hand.

It knows what an engine cannot know: the architecture (Qwen3), every turn's length in advance, and that all episodes wait
for each other. So it fuses weights, sorts the rows by the length of the turn, and decodes a shrinking slice of them, with
nothing computed for rows that are done. At the beginning of a turn it moves every row so that all rows end in the same
column; a step then writes its keys and values as one slice. Each distinct prompt is computed once and copied to the
episodes that share it whole; the beginning that all prompts have in common is computed for each distinct prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu
from transformers import PreTrainedModel
from workload import Conversation, Transcript


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


@dataclass
class _State:
    """Where all conversations stand between two turns."""

    cache: Tensor  # `[layers, 2, rows, K, capacity, D]`
    spare: Tensor  # what the next turn moves the rows to
    rows: list[int]  # each episode's row
    begins: list[int]  # the column in which each row begins
    filled: list[int]  # how many of each episode's tokens are in the cache
    transcripts: list[Transcript]


@dataclass(frozen=True)
class _Pass:
    """Where the `N` tokens of a forward pass belong: no padding but in the queries of a prefill's attention."""

    rows: Tensor  # the row of each token, `[N]`
    slots: Tensor  # its place among its row's tokens of this pass, `[N]`
    columns: Tensor | slice  # its column in the cache, `[N]`; a slice for a single token in every row
    positions: Tensor  # its position in its conversation, `[N]`
    shape: tuple[int, int]  # rows, and the most tokens of a row
    end: int  # columns that there are after the pass
    mask: Tensor  # `[rows, 1, heads that share keys * slots, end]`


class PlainDecoder:
    """Decodes conversations in lockstep, turn by turn, with a static cache."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Prepare the weights of a Qwen3 model."""
        config = model.config
        self._queries, self._shared, self._width = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self._eps, self._folded = config.rms_norm_eps, config.num_attention_heads // config.num_key_value_heads
        self._layers = [_Layer.of(layer, self._queries, self._shared) for layer in model.model.layers]
        self._embedding = model.model.embed_tokens.weight.detach()
        self._head = model.lm_head.weight.detach() * model.model.norm.weight.detach()
        every = torch.arange(config.max_position_embeddings)[None]
        cos, sin = (table[0, :, None, : self._width // 2] for table in model.model.rotary_emb(self._embedding, every))
        self._turns = torch.complex(cos, sin)
        self._caches = torch.zeros(0), torch.zeros(0)  # kept from one run to the next

    @torch.inference_mode()
    def run(self, work: Sequence[Conversation], seed: int) -> list[Transcript]:
        """Play all conversations to their end."""
        self._random = torch.Generator().manual_seed(seed)
        state = self._begin(work)
        for turn in range(len(work[0].lengths)):
            given: list[list[int]] = [c.observations[turn - 1] if turn else [] for c in work]
            self._turn(state, given, [c.lengths[turn] for c in work])
        return state.transcripts

    def _begin(self, work: Sequence[Conversation]) -> _State:
        """Compute each distinct prompt but for its last token."""
        longest = max(len(c.prompt) + sum(c.lengths) + sum(map(len, c.observations)) for c in work)
        capacity = longest + max(max(c.lengths) for c in work)
        shape = (len(self._layers), 2, len(work), self._shared, capacity, self._width)
        if self._caches[0].shape != shape:
            self._caches = torch.zeros(shape), torch.zeros(shape)
        cache, spare = self._caches
        prompts = {prompt: row for row, prompt in enumerate(dict.fromkeys(tuple(c.prompt) for c in work))}
        begins = [0] * len(prompts)
        self._prefill(cache, [list(prompt[:-1]) for prompt in prompts], begins, begins)
        rows, filled = [prompts[tuple(c.prompt)] for c in work], [len(c.prompt) - 1 for c in work]
        return _State(cache, spare, rows, [0] * len(work), filled, [Transcript([*c.prompt]) for c in work])

    def _turn(self, state: _State, given: list[list[int]], lengths: list[int]) -> None:
        """Append what is `given` to each episode and sample its length of tokens."""
        order = sorted(range(len(given)), key=lambda i: -lengths[i])
        new = [state.transcripts[i].tokens[-1:] + given[i] for i in order]
        filled = [state.filled[i] for i in order]
        end = max(old + len(tokens) for old, tokens in zip(filled, new, strict=True))
        begins = [end - old - len(tokens) for old, tokens in zip(filled, new, strict=True)]
        for row, i in enumerate(order):
            begin = state.begins[state.rows[i]]
            kept = state.cache[:, :, state.rows[i], :, begin : begin + filled[row]]
            state.spare[:, :, row, :, begins[row] : begins[row] + filled[row]] = kept
        state.cache, state.spare, state.begins = state.spare, state.cache, begins
        logits = self._prefill(state.cache, new, begins, filled)
        tokens, logprobs = self._decode(state.cache, logits, begins, end, [lengths[i] for i in order])
        for row, i in enumerate(order):
            state.rows[i] = row
            state.filled[i] += len(new[row]) + lengths[i] - 1  # the last token is still to be computed
            state.transcripts[i].tokens += given[i] + tokens[row][: lengths[i]]
            state.transcripts[i].logprobs += logprobs[row][: lengths[i]]

    def _prefill(self, cache: Tensor, new: list[list[int]], begins: list[int], filled: list[int]) -> Tensor:
        """Append `new` tokens to rows that hold `filled` from column `begins` on; return the last ones' logits, `[B, V]`."""
        counts, starts, olds = torch.tensor([len(tokens) for tokens in new]), torch.tensor(begins), torch.tensor(filled)
        rows = torch.arange(len(new)).repeat_interleave(counts)
        slots = torch.cat([torch.arange(len(tokens)) for tokens in new])
        shape, end = (len(new), int(counts.max())), int((starts + olds + counts).max())
        queries = (starts + olds)[:, None] + torch.arange(shape[1]).repeat(self._folded)
        every = torch.arange(end)
        blocked = (every > queries[..., None]) | (every < starts[:, None, None])
        mask = torch.zeros(blocked.shape).masked_fill_(blocked, float("-inf"))[:, None]
        positions = olds[rows] + slots
        where = _Pass(rows, slots, starts[rows] + positions, positions, shape, end, mask)
        hidden = self._forward(cache, torch.tensor([token for tokens in new for token in tokens]), where)
        return self._logits(hidden[counts.cumsum(0) - 1])

    def _decode(
        self, cache: Tensor, logits: Tensor, begins: list[int], end: int, lengths: list[int]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Sample `lengths` (descending) tokens for the rows, which begin at `begins` and all end at `end`."""
        count, steps = len(lengths), lengths[0]
        rows, starts = torch.arange(count), torch.tensor(begins)
        hidden = torch.arange(end + steps) < starts[:, None, None, None]
        mask = torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf")).expand(-1, -1, self._folded, -1)
        uniforms = torch.rand(steps, count, 1, generator=self._random)
        tokens, chosen = torch.zeros(count, steps, dtype=torch.long), torch.zeros(count, steps)
        for step in range(steps):
            if step:
                count, column = sum(length > step for length in lengths), end + step - 1
                active, positions, seen = rows[:count], column - starts[:count], mask[:count, ..., : column + 1]
                where = _Pass(active, active, slice(column, column + 1), positions, (count, 1), column + 1, seen)
                logits = self._logits(self._forward(cache, tokens[:count, step - 1], where))
            tokens[:count, step], chosen[:count, step] = _draw(logits, uniforms[step, :count])
        return tokens.tolist(), chosen.tolist()

    def _forward(self, cache: Tensor, tokens: Tensor, where: _Pass) -> Tensor:
        """Return the hidden states of `tokens` before the last norm, `[N, hidden]`, and fill the cache."""
        hidden = self._embedding[tokens]
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

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, where: _Pass) -> Tensor:
        """Mix the values for `queries` `[N, H, D]`; the heads that share keys are folded into the query length."""
        rows, slots = where.shape
        if slots == 1:
            folded = queries.reshape(rows, self._shared, self._folded, self._width)
            return scaled_dot_product_attention(folded, keys, values, attn_mask=where.mask).flatten(1)
        padded = queries.new_zeros(rows, self._queries, slots, self._width)
        padded[where.rows, :, where.slots] = queries
        folded = padded.view(rows, self._shared, self._folded * slots, self._width)
        mixed = scaled_dot_product_attention(folded, keys, values, attn_mask=where.mask)
        return mixed.reshape(padded.shape)[where.rows, :, where.slots].flatten(1)

    def _norm(self, hidden: Tensor) -> Tensor:
        return rms_norm(hidden, hidden.shape[-1:], eps=self._eps)

    def _logits(self, hidden: Tensor) -> Tensor:
        return linear(self._norm(hidden), self._head)


def _store(cache: Tensor, new: Tensor, where: _Pass) -> None:
    """Write `new` `[N, K, D]` into the cache of a layer, `[B, K, capacity, D]`."""
    if isinstance(where.columns, slice):
        cache[:, :, where.columns] = new[:, :, None]
    else:
        cache[where.rows, :, where.columns] = new


def _draw(logits: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a token for each row by inverting the cumulative distribution; return it with its log-probability."""
    probabilities = logits.softmax(-1)
    cumulative = probabilities.cumsum(-1)
    tokens = torch.searchsorted(cumulative, uniforms * cumulative[:, -1:], right=True).clamp_(max=logits.shape[1] - 1)
    return tokens[:, 0], probabilities.gather(1, tokens)[:, 0].log_()
