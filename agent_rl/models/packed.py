"""Packed batches: sequences one behind the other, no padding; log-probabilities of the tokens that are trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import Module
from transformers import PreTrainedModel

Kept = Sequence[Sequence[int]]
"""The tokens that each trained token was drawn from, `[A]`; none where that is all of them."""


@dataclass(frozen=True)
class Packed:
    """Sequences one behind the other.

    Attributes:
        tokens: Token ids, `[1, S]`.
        positions: Position of each token within its sequence, `[1, S]`.
        segments: Length of each sequence; they sum to `S`.
        targets: Places in `S` of the tokens that are trained, `[A]`, ascending.
    """

    tokens: Tensor
    positions: Tensor
    segments: list[int]
    targets: Tensor

    def to(self, device: torch.device) -> "Packed":
        """Return the batch on `device`."""
        return Packed(self.tokens.to(device), self.positions.to(device), self.segments, self.targets.to(device))


def pack(sequences: Sequence[tuple[Sequence[int], Sequence[bool]]]) -> Packed:
    """Pack `(tokens, mask)` pairs; a token with a true mask is trained.

    Raises:
        ValueError: A mask is not as long as its tokens, or is true at the first token, which nothing predicts.
    """
    for tokens, mask in sequences:
        if len(tokens) != len(mask) or (mask and mask[0]):
            raise ValueError(f"a mask of {len(mask)} for {len(tokens)} tokens, or the first token is to be trained")
    segments = [len(tokens) for tokens, _ in sequences]
    trained = torch.tensor([flag for _, mask in sequences for flag in mask])
    return Packed(
        tokens=torch.tensor([[token for tokens, _ in sequences for token in tokens]]),
        positions=torch.cat([torch.arange(length) for length in segments])[None],
        segments=segments,
        targets=trained.nonzero()[:, 0],
    )


def target_logits(model: PreTrainedModel, packed: Packed, temperature: float = 1.0) -> Tensor:
    """Return the logits that predict the trained tokens, divided by `temperature`, `[A, V]`.

    Logits are computed for trained tokens only: prompts and tool results cost no vocabulary.
    """
    return _logits(model, hidden(model.get_decoder(), packed), temperature)


@torch.no_grad()
def fresh_logprobs(
    model: PreTrainedModel, packed: Packed, temperature: float = 1.0, at_once: int = 2048, kept: Kept | None = None
) -> Tensor:
    """Return the log-probability (nats) of each trained token, `[A]`, without a gradient.

    Logits exist for `at_once` tokens at a time, so that long sequences with a large vocabulary fit into memory.
    """
    states = hidden(model.get_decoder(), packed).split(at_once)
    parts = [replace(packed, targets=targets) for targets in packed.targets.split(at_once)]
    cuts = [None if kept is None else kept[i * at_once : (i + 1) * at_once] for i in range(len(parts))]
    return torch.cat(
        [
            chosen_logprobs(_logits(model, h, temperature), part, cut)
            for h, part, cut in zip(states, parts, cuts, strict=True)
        ]
    )


def chosen_logprobs(logits: Tensor, packed: Packed, kept: Kept | None = None) -> Tensor:
    """Return the log-probability (nats) of each trained token, `[A]`, from `target_logits`.

    With `kept` it is that among the tokens that were kept, which the chosen one is among.
    """
    logprobs = logits.log_softmax(-1)
    chosen = logprobs.gather(1, packed.tokens[0, packed.targets][:, None])[:, 0]
    return chosen if kept is None else chosen - kept_mass(logprobs, kept)


def kept_mass(logprobs: Tensor, kept: Kept) -> Tensor:
    """Return the log of the probability of the kept tokens together, `[A]`, from `[A, V]`; 0 where all are kept."""
    sizes = torch.tensor([len(tokens) for tokens in kept], device=logprobs.device)
    rows = torch.arange(len(kept), device=logprobs.device).repeat_interleave(sizes)
    tokens = torch.tensor([token for tokens in kept for token in tokens], dtype=torch.long, device=logprobs.device)
    total = logprobs.new_zeros(len(kept)).index_add(0, rows, logprobs[rows, tokens].exp())
    return torch.where(sizes > 0, total.where(sizes > 0, 1.0).log(), 0.0)


def entropies(logits: Tensor) -> Tensor:
    """Return the entropy (nats) of each predicted distribution, `[A]`."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)


def hidden(decoder: Module, packed: Packed) -> Tensor:
    """Return the output of a model's decoder at the tokens before the trained ones, `[A, H]`."""
    decoded: Tensor = decoder(
        input_ids=packed.tokens, position_ids=packed.positions, use_cache=False, segments=packed.segments
    ).last_hidden_state[0]
    return decoded[packed.targets - 1]


def _logits(model: PreTrainedModel, states: Tensor, temperature: float) -> Tensor:
    logits: Tensor = model.get_output_embeddings()(states)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return logits if temperature == 1.0 else logits / temperature
