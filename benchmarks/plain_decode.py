"""The limit: the tightest plain decoding loop for the benchmark's model, written by hand.

It knows what an engine cannot know: the architecture (Qwen3), every turn's length in advance, and that all episodes wait
for each other. So it fuses weights, sorts the rows by the length of the turn, and decodes a shrinking slice of them
without ever computing a row that is done. Each distinct prompt is prefilled once and copied to the episodes that share it
whole; the beginning that all prompts have in common is computed for each distinct prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
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
        """Fuse the weights of a Qwen3 layer with `queries` and `shared` heads."""
        w = {name: parameter.detach() for name, parameter in layer.named_parameters()}
        norms = [w["self_attn.q_norm.weight"]] * queries + [w["self_attn.k_norm.weight"]] * shared
        qkv = torch.cat([w[f"self_attn.{name}_proj.weight"] for name in "qkv"])
        gate_up = torch.cat([w["mlp.gate_proj.weight"], w["mlp.up_proj.weight"]])
        return cls(
            qkv * w["input_layernorm.weight"],
            torch.stack(norms),
            w["self_attn.o_proj.weight"].t(),
            gate_up * w["post_attention_layernorm.weight"],
            w["mlp.down_proj.weight"].t(),
        )


@dataclass
class _State:
    """Where all conversations stand between two turns."""

    cache: Tensor
    spare: Tensor
    rows: list[int]  # each episode's row in the cache; before the first turn's prefill is copied, episodes share rows
    filled: list[int]  # positions of each episode in the cache
    transcripts: list[Transcript]


@dataclass(frozen=True)
class _Batch:
    """Where the `N` tokens of a forward pass belong: no padding but in the queries of a prefill's attention."""

    rows: Tensor  # the row of each token, `[N]`
    columns: Tensor  # its place among its row's tokens of this pass, `[N]`
    positions: Tensor  # its place in its row's cache, `[N]`
    shape: tuple[int, int]  # rows, and the most tokens of a row
    length: int  # the longest row's positions after the pass
    mask: Tensor  # `[rows, 1, heads that share keys * columns, length]`


class PlainDecoder:
    """Decodes conversations in lockstep, turn by turn, with a static cache `[layers, 2, rows, K, capacity, D]`."""

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
        cos, sin = (table[0, :, None].detach() for table in model.model.rotary_emb(self._embedding, every))
        half = self._width // 2
        self._cos, self._sin = cos, torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)

    @torch.inference_mode()
    def run(self, work: Sequence[Conversation], seed: int) -> list[Transcript]:
        """Play all conversations to their end."""
        self._random = torch.Generator().manual_seed(seed)
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(tuple(c.prompt) for c in work))}
        capacity = max(len(c.prompt) + sum(c.lengths) + sum(map(len, c.observations)) for c in work)
        shape = (len(self._layers), 2, len(work), self._shared, capacity, self._width)
        rows = [places[tuple(c.prompt)] for c in work]
        state = _State(torch.empty(shape), torch.empty(shape), rows, [0] * len(work), [Transcript() for _ in work])
        for turn in range(len(work[0].lengths)):
            given = [c.observations[turn - 1] if turn else c.prompt for c in work]
            self._turn(state, given, [c.lengths[turn] for c in work])
        return state.transcripts

    def _turn(self, state: _State, given: list[list[int]], lengths: list[int]) -> None:
        """Append what is `given` to each episode and sample its length of tokens."""
        episodes = range(len(given))
        new = [t.tokens[-1:] + words for t, words in zip(state.transcripts, given, strict=True)]
        owners = sorted({row: episode for episode, row in enumerate(state.rows)}.items())
        logits = self._prefill(state.cache, [new[i] for _, i in owners], [state.filled[i] for _, i in owners])
        order = sorted(episodes, key=lambda i: -lengths[i])
        starts = [state.filled[i] + len(new[i]) for i in order]
        for row, i in enumerate(order):
            state.spare[:, :, row, :, : starts[row]] = state.cache[:, :, state.rows[i], :, : starts[row]]
        state.cache, state.spare = state.spare, state.cache
        logits = logits[[state.rows[i] for i in order]]
        tokens, logprobs = self._decode(state.cache, logits, starts, [lengths[i] for i in order])
        for row, i in enumerate(order):
            state.rows[i], state.filled[i] = row, starts[row] + lengths[i] - 1  # the last token is still to be computed
            state.transcripts[i].tokens += given[i] + tokens[row][: lengths[i]]
            state.transcripts[i].logprobs += logprobs[row][: lengths[i]]

    def _prefill(self, cache: Tensor, new: list[list[int]], starts: list[int]) -> Tensor:
        """Append `new` tokens to the first rows; return the logits after each row's last, `[rows, V]`."""
        counts, begins = torch.tensor([len(tokens) for tokens in new]), torch.tensor(starts)
        rows = torch.arange(len(new)).repeat_interleave(counts)
        columns = torch.cat([torch.arange(len(tokens)) for tokens in new])
        time, length = int(counts.max()), int((begins + counts).max())
        queries = (begins[:, None] + torch.arange(time)).repeat(1, self._folded)
        blocked = torch.arange(length) > queries[..., None]
        mask = torch.zeros(blocked.shape).masked_fill_(blocked, float("-inf"))[:, None]
        batch = _Batch(rows, columns, begins[rows] + columns, (len(new), time), length, mask)
        hidden = self._forward(cache, torch.tensor([token for tokens in new for token in tokens]), batch)
        return self._logits(hidden[counts.cumsum(0) - 1])

    def _decode(
        self, cache: Tensor, logits: Tensor, starts: list[int], lengths: list[int]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Sample `lengths` (descending) tokens for each row, which has `starts` positions in the cache."""
        count, steps = len(lengths), lengths[0]
        rows, begins, every = torch.arange(count), torch.tensor(starts), torch.arange(cache.shape[4])
        mask = torch.zeros(count, len(every)).masked_fill_(every >= begins[:, None], float("-inf"))
        uniforms = torch.rand(steps, count, 1, generator=self._random)
        tokens, chosen = torch.zeros(count, steps, dtype=torch.long), torch.zeros(count, steps)
        for step in range(steps):
            if step:
                count = sum(length > step for length in lengths)
                active, positions = rows[:count], begins[:count] + step - 1
                mask[active, positions] = 0.0
                length = max(starts[:count]) + step
                seen = mask[:count, None, None, :length].expand(-1, -1, self._folded, -1)
                batch = _Batch(active, active, positions, (count, 1), length, seen)
                logits = self._logits(self._forward(cache, tokens[:count, step - 1], batch))
            tokens[:count, step], chosen[:count, step] = _draw(logits, uniforms[step, :count])
        return tokens.tolist(), chosen.tolist()

    def _forward(self, cache: Tensor, tokens: Tensor, batch: _Batch) -> Tensor:
        """Return the hidden states of `tokens` before the last norm, `[N, hidden]`, and fill the cache."""
        hidden = self._embedding[tokens]
        cos, sin = self._cos[batch.positions], self._sin[batch.positions]
        for layer, (keys, values) in zip(self._layers, cache, strict=True):
            heads = linear(self._norm(hidden), layer.qkv).view(len(tokens), -1, self._width)
            turned = self._norm(heads[:, : -self._shared]) * layer.qk_norm
            turned = torch.addcmul(turned * cos, turned.roll(self._width // 2, -1), sin)
            rows = slice(batch.shape[0])
            keys[batch.rows, :, batch.positions] = turned[:, self._queries :]
            values[batch.rows, :, batch.positions] = heads[:, -self._shared :]
            seen = keys[rows, :, : batch.length], values[rows, :, : batch.length]
            mixed = self._attend(turned[:, : self._queries], *seen, batch)
            hidden = torch.addmm(hidden, mixed, layer.out)
            gate, up = linear(self._norm(hidden), layer.gate_up).chunk(2, dim=-1)
            hidden = torch.addmm(hidden, silu(gate).mul_(up), layer.down)
        return hidden

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, batch: _Batch) -> Tensor:
        """Mix the values for `queries` `[N, H, D]`; the heads that share keys are folded into the query length."""
        rows, time = batch.shape
        if time == 1:
            folded = queries.reshape(rows, self._shared, self._folded, self._width)
            return scaled_dot_product_attention(folded, keys, values, attn_mask=batch.mask).flatten(1)
        padded = queries.new_zeros(rows, self._queries, time, self._width)
        padded[batch.rows, :, batch.columns] = queries
        folded = padded.view(rows, self._shared, self._folded * time, self._width)
        mixed = scaled_dot_product_attention(folded, keys, values, attn_mask=batch.mask)
        return mixed.reshape(padded.shape)[batch.rows, :, batch.columns].flatten(1)

    def _norm(self, hidden: Tensor) -> Tensor:
        return rms_norm(hidden, hidden.shape[-1:], eps=self._eps)

    def _logits(self, hidden: Tensor) -> Tensor:
        return linear(self._norm(hidden), self._head)


def _draw(logits: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a token for each row by inverting the cumulative distribution; return it with its log-probability."""
    probabilities = logits.softmax(-1)
    cumulative = probabilities.cumsum(-1)
    tokens = torch.searchsorted(cumulative, uniforms * cumulative[:, -1:], right=True).clamp_(max=logits.shape[1] - 1)
    return tokens[:, 0], probabilities.gather(1, tokens)[:, 0].log_()
