"""What every retriever gives back and how it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Hit:
    """A passage that was found, its id in the corpus, and its score: higher is better, comparable within one query."""

    text: str
    id: str
    score: float


class Index(Protocol):
    """Finds passages in this process. Called from several threads at once."""

    def find(self, queries: Sequence[str], results: int) -> list[list[Hit]]:
        """Return at most `results` hits for each query, best first."""
        ...


class Retriever(Protocol):
    """Finds passages, wherever they are."""

    async def search(self, query: str, results: int) -> list[Hit]:
        """Return at most `results` hits, best first.

        Raises:
            InfrastructureError: The retriever could not be asked.
        """
        ...
