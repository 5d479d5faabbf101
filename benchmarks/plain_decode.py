"""The limit: the tightest plain decoding loop for the benchmark's model, written by hand.

It knows what an engine cannot know: the architecture (Qwen3), every turn's length in advance, and that all episodes
wait for each other. So it fuses weights, sorts the rows by the length of the turn, and decodes a shrinking slice of
them, with nothing computed for rows that are done. At the beginning of a turn it moves every row so that all rows end
in the same column; a step then writes its keys and values as one slice. Each distinct prompt is computed once and
copied to the episodes that share it whole; what all prompts have in common is computed for each distinct prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from plain_model import Pass, PlainModel
from torch import Tensor
from transformers import PreTrainedModel
from workload import Conversation, Transcript


@dataclass
class _State:
    """Where all conversations stand between two turns."""

    cache: Tensor  # `[layers, 2, rows, K, capacity, D]`
    spare: Tensor  # what the next turn moves the rows to
    rows: list[int]  # each episode's row
    begins: list[int]  # the column in which each row begins
    filled: list[int]  # how many of each episode's tokens are in the cache
    transcripts: list[Transcript]


class PlainDecoder:
    """Decodes conversations in lockstep, turn by turn, with a static cache."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Prepare the weights of a Qwen3 model."""
        self._model = PlainModel(model)
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
        if self._caches[0].shape[2:5:2] != (len(work), capacity):
            self._caches = self._model.cache(len(work), capacity), self._model.cache(len(work), capacity)
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
        """Append `new` to rows that hold `filled` tokens from `begins` on; return the last logits, `[B, V]`."""
        counts, starts, olds = torch.tensor([len(tokens) for tokens in new]), torch.tensor(begins), torch.tensor(filled)
        rows = torch.arange(len(new)).repeat_interleave(counts)
        slots = torch.cat([torch.arange(len(tokens)) for tokens in new])
        shape, end = (len(new), int(counts.max())), int((starts + olds + counts).max())
        queries = (starts + olds)[:, None] + torch.arange(shape[1]).repeat(self._model.folded)
        every = torch.arange(end)
        blocked = (every > queries[..., None]) | (every < starts[:, None, None])
        mask = torch.zeros(blocked.shape).masked_fill_(blocked, float("-inf"))[:, None]
        positions = olds[rows] + slots
        where = Pass(rows, slots, starts[rows] + positions, positions, shape, end, mask)
        hidden = self._model.forward(cache, torch.tensor([token for tokens in new for token in tokens]), where)
        return self._model.logits(hidden[counts.cumsum(0) - 1])

    def _decode(
        self, cache: Tensor, logits: Tensor, begins: list[int], end: int, lengths: list[int]
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Sample `lengths` (descending) tokens for the rows, which begin at `begins` and all end at `end`."""
        count, steps = len(lengths), lengths[0]
        rows, starts = torch.arange(count), torch.tensor(begins)
        hidden = torch.arange(end + steps) < starts[:, None, None, None]
        mask = torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf")).expand(-1, -1, self._model.folded, -1)
        uniforms = torch.rand(steps, count, 1, generator=self._random)
        tokens, chosen = torch.zeros(count, steps, dtype=torch.long), torch.zeros(count, steps)
        for step in range(steps):
            if step:
                count, column = sum(length > step for length in lengths), end + step - 1
                active, positions, seen = rows[:count], column - starts[:count], mask[:count, ..., : column + 1]
                where = Pass(active, active, slice(column, column + 1), positions, (count, 1), column + 1, seen)
                logits = self._model.logits(self._model.forward(cache, tokens[:count, step - 1], where))
            tokens[:count, step], chosen[:count, step] = _draw(logits, uniforms[step, :count])
        return tokens.tolist(), chosen.tolist()


def _draw(logits: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a token for each row by inverting the cumulative distribution; return it with its log-probability."""
    probabilities = logits.softmax(-1)
    cumulative = probabilities.cumsum(-1)
    tokens = torch.searchsorted(cumulative, uniforms * cumulative[:, -1:], right=True).clamp_(max=logits.shape[1] - 1)
    return tokens[:, 0], probabilities.gather(1, tokens)[:, 0].log_()
