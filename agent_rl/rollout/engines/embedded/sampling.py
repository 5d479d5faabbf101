"""Drawing tokens from logits, each request from its own random stream."""

import numpy as np
import torch
from torch import Tensor

from agent_rl.core.trajectory import Support
from agent_rl.rollout.engines.base import Sampling


class Stream:
    """The uniform numbers of one request, drawn from its seed in blocks."""

    _BLOCK = 64

    def __init__(self, seed: int) -> None:
        """Begin the stream of `seed`."""
        self._generator = np.random.Generator(np.random.Philox(seed))
        self._numbers: list[float] = []

    def next(self) -> float:
        """Return the next number in [0, 1)."""
        if not self._numbers:
            self._numbers = self._generator.random(self._BLOCK).tolist()[::-1]
        return self._numbers.pop()


def draw(
    logits: Tensor, samplings: list[Sampling], uniforms: list[float]
) -> tuple[Tensor, Tensor, list[Support | None]]:
    """Draw one token per row by inverting the cumulative distribution.

    Args:
        logits: `[B, V]`.
        samplings: How each row is drawn, `[B]`.
        uniforms: One number in [0, 1) per row, `[B]`.

    Returns:
        Tokens `[B]`, their log-probabilities `[B]` (nats) before top_p and top_k, and what each was drawn from where
        these left tokens out, `[B]`.
    """
    if any(s.temperature not in (0.0, 1.0) for s in samplings):
        logits = logits / logits.new_tensor([s.temperature or 1.0 for s in samplings])[:, None]
    logprobs = logits.float().log_softmax(-1)
    probabilities = logprobs.exp()
    cut = [s.temperature > 0 and (s.top_k > 0 or s.top_p < 1.0) for s in samplings]
    if any(s.top_k or s.top_p < 1.0 for s in samplings):
        probabilities = _truncate(probabilities, samplings)
    supports = [_support(row) if truncated else None for row, truncated in zip(probabilities, cut, strict=True)]
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    targets = cumulative.new_tensor(uniforms)[:, None] * total
    # Below the total some token's sum exceeds the target, and right=True finds one of positive probability.
    targets = torch.minimum(targets, torch.nextafter(total, torch.zeros_like(total)))
    tokens = torch.searchsorted(cumulative, targets, right=True)[:, 0]
    greedy = [s.temperature == 0.0 for s in samplings]
    if any(greedy):
        tokens = torch.where(torch.tensor(greedy, device=logits.device), logits.argmax(-1), tokens)
    return tokens, logprobs.gather(1, tokens[:, None])[:, 0], supports


def _support(probabilities: Tensor) -> Support:
    """Return the tokens whose probability is above 0, `[V]`."""
    return Support(tuple(probabilities.nonzero()[:, 0].tolist()), float(probabilities.double().sum().log()))


def _truncate(probabilities: Tensor, samplings: list[Sampling]) -> Tensor:
    """Set what top_k and top_p leave out to 0."""
    size = probabilities.shape[1]
    device = probabilities.device
    top_k = torch.tensor([s.top_k or size for s in samplings], device=device)[:, None]
    top_p = torch.tensor([s.top_p for s in samplings], device=device)[:, None]
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    kept = (torch.arange(size, device=device) < top_k) & (before < top_p)
    return torch.zeros_like(probabilities).scatter_(1, order, ordered * kept)
