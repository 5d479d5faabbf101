"""Gaps between the engine's log-probabilities and those of a fresh forward pass, in bounded memory."""

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent_rl.rollout.audit.findings import Place

SMALLEST, LARGEST = -8, 1  # decades of the histogram; what is below or above counts in the first or last
_WORST = 10


@dataclass(frozen=True)
class Token:
    """A sampled token with both log-probabilities (nats) and some text around it."""

    place: Place
    turn: int
    position: int
    token: int
    version: int
    text: str
    context: str
    engine: float
    fresh: float

    @property
    def gap(self) -> float:
        """How far apart they are."""
        return abs(self.engine - self.fresh)


@dataclass
class Gaps:
    """What is kept of all gaps.

    Attributes:
        count: Tokens that were compared.
        total: Sum of their gaps.
        largest: The largest gap, None before the first.
        decades: Tokens by the decade of their gap, `{-6: 120}` for 1e-6 up to 1e-5; gaps of 0 are in none.
        worst: The tokens with the largest gaps, worst first.
    """

    count: int = 0
    total: float = 0.0
    largest: float | None = None
    decades: Counter[int] = field(default_factory=Counter)
    _heap: list[tuple[float, int, Token]] = field(default_factory=list)

    def add(self, gap: float) -> bool:
        """Count a gap; return whether it is among the worst and its token is worth keeping."""
        self.count += 1
        self.total += gap
        self.largest = max(gap, self.largest or 0.0)
        if gap:
            self.decades[decade(gap)] += 1
        return len(self._heap) < _WORST or gap > self._heap[0][0]

    def keep(self, token: Token) -> None:
        """Keep a token among the worst."""
        heapq.heappush(self._heap, (token.gap, -self.count, token))
        if len(self._heap) > _WORST:
            heapq.heappop(self._heap)

    @property
    def mean(self) -> float:
        """The mean gap, 0 for no token."""
        return self.total / self.count if self.count else 0.0

    @property
    def worst(self) -> list[Token]:
        """The tokens with the largest gaps, worst first."""
        return [token for _, _, token in sorted(self._heap, reverse=True)]

    def histogram(self) -> Iterator[tuple[str, int]]:
        """Yield label and number of tokens of each decade, from no gap upwards to the largest that is there."""
        yield "0", self.count - sum(self.decades.values())
        for power in range(SMALLEST, max(self.decades, default=SMALLEST) + 1):
            label = f"< 1e{power + 1}" if power == SMALLEST else f"1e{power}"
            yield label, self.decades[power]

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"tokens": self.count, "mean": self.mean, "histogram": dict(self.histogram())}


def decade(gap: float) -> int:
    """Return the decade of a gap above 0: -3 for 0.001 up to 0.01."""
    return min(max(math.floor(math.log10(gap)), SMALLEST), LARGEST)
