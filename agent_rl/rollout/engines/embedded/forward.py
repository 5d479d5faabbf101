"""The forward pass: what rows of the cache have not computed yet, and a token sampled for each."""

import numpy as np
import torch
from transformers import PreTrainedModel

from agent_rl.core.trajectory import Support
from agent_rl.rollout.engines.embedded.cache import Extension, RowCache, Shape
from agent_rl.rollout.engines.embedded.sampling import draw
from agent_rl.rollout.engines.embedded.turns import Turn


class Forward:
    """A model and the cache of what it computed."""

    def __init__(self, model: PreTrainedModel, rows: int) -> None:
        """Compute with `model` as it is at each pass, for at most `rows` episodes."""
        config = model.config.get_text_config()
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = Shape(config.num_hidden_layers, config.num_key_value_heads, width, config.max_position_embeddings)
        self.cache = RowCache(shape, rows, model.dtype, model.device)
        self._decoder = model.get_decoder()
        self._head = model.get_output_embeddings()

    @torch.inference_mode()
    def __call__(self, first: int, turns: list[Turn]) -> tuple[list[int], list[float], list[Support | None]]:
        """Return what `draw` says of a token for each of the turns, which have the rows from `first` on."""
        cache = self.cache
        rows = slice(first, first + len(turns))
        starts = cache.lengths[rows].copy()
        new = [turn.uncomputed(int(start)) for turn, start in zip(turns, starts, strict=True)]
        counts = np.array([len(tokens) for tokens in new])
        cache.reserve(int((starts + counts).max()) + 1)
        tokens = np.zeros((len(new), int(counts.max())), dtype=np.int64)
        for i, row in enumerate(new):
            tokens[i, : len(row)] = row
            cache.tokens[first + i, starts[i] : starts[i] + len(row)] = row
        extension = Extension(cache, first, starts, counts)
        ids = torch.from_numpy(tokens).to(cache.data.device)
        hidden = self._decoder(
            input_ids=ids, position_ids=extension.positions, use_cache=False, slots=extension
        ).last_hidden_state
        cache.lengths[rows] = starts + counts
        last = hidden[torch.arange(len(new)), torch.from_numpy(counts - 1)]
        sampled, logprobs, supports = draw(
            self._head(last), [turn.request.sampling for turn in turns], [turn.stream.next() for turn in turns]
        )
        return sampled.tolist(), logprobs.tolist(), supports
