"""Packed batches: sequences without padding, what they share at their beginning once; log-probabilities of the trained.

Sequences that begin with the same tokens are a tree: what they have in common is computed once, and each goes on from
there. It is exact, for what a causal model computes at a token depends on the tokens before it alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from agent_rl.models.spread import Spread

_WORTH = 16
"""Common tokens from which on it is worth to compute them apart: each run costs calls of its own in every layer."""
_LOGITS = 2**24
"""Logits that exist at once: 64 MB in float32, and as much again for each of two or three steps of their backward."""
Kept = Sequence[Sequence[int]]
"""The tokens that each trained token was drawn from, `[A]`; none where that is all of them."""


@dataclass(frozen=True)
class Packed:
    """Sequences in runs of tokens; a run that several sequences begin with stands once, right before what goes on.

    Attributes:
        tokens: Token ids, `[1, S]`.
        positions: Position of each token within its sequence, `[1, S]`.
        segments: Length of each run; they sum to `S`.
        behind: How many of the tokens right behind each run continue it.
        sources: Places in `S` whose output predicts the trained tokens, `[A]`, sequence by sequence as they were given;
            several sequences may be predicted from one place.
        targets: The trained tokens, `[A]`.
        kept: What each of them was drawn from; None where nothing was left out.
        spread: Of a part of a pack, how the others lie on other ranks; its tokens and what they predict are its own
            then, its runs those of the whole.
    """

    tokens: Tensor
    positions: Tensor
    segments: list[int]
    behind: list[int]
    sources: Tensor
    targets: Tensor
    kept: Kept | None = None
    spread: Spread | None = None

    def to(self, device: torch.device) -> "Packed":
        """Return the batch on `device`."""
        tokens, positions, sources, targets = (
            one.to(device) for one in (self.tokens, self.positions, self.sources, self.targets)
        )
        return replace(self, tokens=tokens, positions=positions, sources=sources, targets=targets)


class Predicted(NamedTuple):
    """What a model says of trained tokens.

    Attributes:
        logprobs: Log-probability (nats) of each, `[A]`.
        entropies: Entropy (nats) of the distribution that each was drawn from, `[A]`.
    """

    logprobs: Tensor
    entropies: Tensor


def pack(sequences: Sequence[tuple[Sequence[int], Sequence[bool]]], kept: Kept | None = None) -> Packed:
    """Pack `(tokens, mask)` pairs; a token with a true mask is trained, and was drawn from those that were `kept`.

    Raises:
        ValueError: A mask is not as long as its tokens, or is true at the first token, which nothing predicts.
    """
    for tokens, mask in sequences:
        if len(tokens) != len(mask) or (mask and mask[0]):
            raise ValueError(f"a mask of {len(mask)} for {len(tokens)} tokens, or the first token is to be trained")
    tree = _Tree()
    places = tree.grow([tokens for tokens, _ in sequences])
    trained = [
        (rows[at - 1], tokens[at])
        for (tokens, mask), rows in zip(sequences, places, strict=True)
        for at, flag in enumerate(mask)
        if flag
    ]
    return _packed(tree, [source for source, _ in trained], [target for _, target in trained], kept)


def pack_ends(sequences: Sequence[Sequence[int]]) -> Packed:
    """Pack sequences, none of them empty, of which the output at the last token is wanted and nothing is trained."""
    tree = _Tree()
    return _packed(tree, [rows[-1] for rows in tree.grow(sequences)], [], None)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences share at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def predict(
    model: PreTrainedModel, packed: Packed, temperature: float = 1.0, entropy_gradient: bool = False
) -> Predicted:
    """Return what `model` says of the trained tokens; the arguments are those of `predict_from`."""
    states = hidden(model.get_decoder(), packed)
    return predict_from(model, states, packed.targets, temperature, entropy_gradient, packed.kept)


def predict_from(
    model: PreTrainedModel,
    states: Tensor,
    targets: Tensor,
    temperature: float = 1.0,
    entropy_gradient: bool = False,
    kept: Kept | None = None,
    at_once: int | None = None,
) -> Predicted:
    """Return what the output layer of `model` says of `targets`.

    Logits exist for `at_once` tokens at a time: their backward computes them again, so that memory grows with hidden
    states and not with the vocabulary.

    Args:
        model: The model.
        states: The decoder's output before each of the tokens, `[A, H]`.
        targets: The tokens, `[A]`.
        temperature: Divides the logits.
        entropy_gradient: Whether entropies have a gradient, too.
        kept: What each token was drawn from: its log-probability is that among these. Entropies are of all tokens.
        at_once: Tokens; by default what makes some million logits.
    """
    at_once = at_once or max(1, _LOGITS // model.config.get_text_config().vocab_size)

    def part(states: Tensor, targets: Tensor, kept: Kept | None) -> Predicted:
        logits: Tensor = model.get_output_embeddings()(states)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return _said(logits if temperature == 1.0 else logits / temperature, targets, entropy_gradient, kept)

    if len(states) <= at_once:  # nothing to save: logits are kept for the backward
        return part(states, targets, kept)
    starts = range(0, len(states), at_once)
    cuts = [None if kept is None else kept[start : start + at_once] for start in starts]
    each = zip(states.split(at_once), targets.split(at_once), cuts, strict=True)
    parts = [checkpoint(part, *one, use_reentrant=False) if states.requires_grad else part(*one) for one in each]
    return Predicted(*(torch.cat(one) for one in zip(*parts, strict=True)))


@torch.no_grad()
def fresh_logprobs(model: PreTrainedModel, packed: Packed, temperature: float = 1.0) -> Tensor:
    """Return the log-probability (nats) of each trained token, `[A]`, without a gradient."""
    return predict(model, packed, temperature).logprobs


def kept_mass(logprobs: Tensor, kept: Kept) -> Tensor:
    """Return the log of the probability of the kept tokens together, `[A]`, from `[A, V]`; 0 where all are kept."""
    sizes = torch.tensor([len(tokens) for tokens in kept], dtype=torch.long, device=logprobs.device)
    rows = torch.arange(len(kept), device=logprobs.device).repeat_interleave(sizes)
    tokens = torch.tensor([token for tokens in kept for token in tokens], dtype=torch.long, device=logprobs.device)
    total = logprobs.new_zeros(len(kept)).index_add(0, rows, logprobs[rows, tokens].exp())
    return torch.where(sizes > 0, total.where(sizes > 0, 1.0).log(), 0.0)


def hidden(decoder: Module, packed: Packed) -> Tensor:
    """Return the output of a model's decoder at the sources of a pack, `[A, H]`."""
    decoded: Tensor = decoder(
        input_ids=packed.tokens,
        position_ids=packed.positions,
        use_cache=False,
        segments=packed.segments,
        behind=packed.behind,
        spread=packed.spread,
    ).last_hidden_state[0]
    return decoded[packed.sources]


def _said(logits: Tensor, targets: Tensor, entropy_gradient: bool, kept: Kept | None) -> Predicted:
    logprobs = logits.log_softmax(-1)
    drawn = logprobs if entropy_gradient else logprobs.detach()
    chosen = logprobs.gather(1, targets[:, None])[:, 0]
    if kept is not None:
        chosen = chosen - kept_mass(logprobs, kept)
    return Predicted(chosen, -(drawn.exp() * drawn).sum(-1))


def _packed(tree: "_Tree", sources: list[int], targets: list[int], kept: Kept | None) -> Packed:
    return Packed(
        tokens=torch.tensor([tree.tokens]),
        positions=torch.tensor([tree.positions]),
        segments=tree.segments,
        behind=tree.behind,
        sources=torch.tensor(sources, dtype=torch.long),
        targets=torch.tensor(targets, dtype=torch.long),
        kept=kept,
    )


class _Tree:
    """The runs of a pack as they are laid down, one sequence after the other."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.segments: list[int] = []
        self.behind: list[int] = []

    def grow(self, sequences: Sequence[Sequence[int]]) -> list[list[int]]:
        """Lay all sequences down; return the places of each one's tokens.

        In the order of their tokens, sequences that share a beginning are neighbours.
        """
        order = sorted(range(len(sequences)), key=lambda i: list(sequences[i]))
        shared = [common(sequences[i], sequences[j]) for i, j in pairwise(order)]
        places: list[list[int]] = [[] for _ in sequences]
        rows: list[int] = []
        path: list[tuple[int, int]] = []  # the runs that the last sequence consists of, and where in it they end
        for number, chosen in enumerate(order):
            while path and path[-1][1] > shared[number - 1]:
                path.pop()
            tokens = sequences[chosen]
            del rows[path[-1][1] if path else 0 :]
            for end in _cuts(len(rows), len(tokens), shared[number:]):
                rows += range(len(self.tokens), len(self.tokens) + end - len(rows))
                self._lay(tokens, end, path)
            places[chosen] = list(rows)
        return places

    def _lay(self, tokens: Sequence[int], end: int, path: list[tuple[int, int]]) -> None:
        begin = path[-1][1] if path else 0
        for run, _ in path:
            self.behind[run] += end - begin
        path.append((len(self.segments), end))
        self.tokens += tokens[begin:end]
        self.positions += range(begin, end)
        self.segments.append(end - begin)
        self.behind.append(0)


def _cuts(begin: int, length: int, shared: Sequence[int]) -> Iterator[int]:
    """Yield where the runs end that a sequence of `length` tokens is laid down in from `begin` on.

    `shared` says what it, the sequences after it and their neighbours share: it is cut where others will go on from.
    """
    ends = [length]
    for other in shared:
        if other - begin < _WORTH:
            break
        if other < ends[-1]:
            ends.append(other)
    for end in reversed(ends):
        if end == length > begin or begin + _WORTH <= end < length:
            yield end
            begin = end
