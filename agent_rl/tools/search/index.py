"""Full-text search over short passages with tantivy (BM25)."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import tantivy

from agent_rl.core.files import storing
from agent_rl.tools.search.base import Hit
from agent_rl.tools.search.building import built

_WORDS = re.compile(r"[^\W_]+")


class PassageIndex:
    """A BM25 index over passages. Thread-safe for searching; it never changes once it is built."""

    def __init__(self, passages: Sequence[str], index: tantivy.Index) -> None:
        """Search `index`, whose documents are the numbers of `passages`."""
        self._passages = passages
        self._index = index
        self._searcher = index.searcher()

    @classmethod
    def opened(cls, folder: Path) -> "PassageIndex":
        """Open the index that `build` left in `folder`."""
        passages: list[str] = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
        return cls(passages, tantivy.Index.open(str(folder / "tantivy")))

    @classmethod
    def in_memory(cls, passages: Sequence[str]) -> "PassageIndex":
        """Index `passages` without a folder: nothing is kept."""
        index = _indexed(passages)
        index.reload()
        return cls(list(passages), index)

    @classmethod
    def build(cls, passages: Sequence[str], folder: Path) -> "PassageIndex":
        """Index `passages` into `folder`, whole or not at all, and open it."""

        def fill(work: Path) -> None:
            with storing(folder):
                (work / "tantivy").mkdir()
                _indexed(passages, work / "tantivy")
                (work / "passages.json").write_text(json.dumps(list(passages), ensure_ascii=False), encoding="utf-8")

        return built(folder, fill, cls.opened)

    @classmethod
    def kept(cls, passages: Callable[[], Sequence[str]], folder: Path) -> "PassageIndex":
        """Open the index that is kept in `folder`, built the first time, and anew when it is damaged."""
        try:
            return cls.opened(folder)
        except (OSError, ValueError):  # not there, or damaged
            return cls.build(passages(), folder)

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self._passages)

    def search(self, query: str, results: int = 1) -> list[str]:
        """Return the `results` best passages for the words of `query`, best first; none when no word is known."""
        return [hit.text for hit in self._hits(query, results)]

    def find(self, queries: Sequence[str], results: int) -> list[list[Hit]]:
        """Return at most `results` hits for each query, best first."""
        return [self._hits(query, results) for query in queries]

    def _hits(self, query: str, results: int) -> list[Hit]:
        words = " ".join(_WORDS.findall(query)[:64]).lower()
        if not words:
            return []
        parsed = self._index.parse_query(words, ["body"])
        found = self._searcher.search(parsed, results).hits
        numbers = [(self._searcher.doc(address)["id"][0], score) for score, address in found]
        return [Hit(self._passages[number], str(number), float(score)) for number, score in numbers]


def _indexed(passages: Sequence[str], folder: Path | None = None) -> tantivy.Index:
    schema = tantivy.SchemaBuilder()
    schema.add_text_field("body", tokenizer_name="default")
    schema.add_integer_field("id", stored=True)
    index = tantivy.Index(schema.build(), path=str(folder) if folder else None)
    # One thread: documents keep their order, so equal scores come back in the same order on every machine.
    writer = index.writer(heap_size=64_000_000, num_threads=1)
    for number, passage in enumerate(passages):
        writer.add_document(tantivy.Document(body=passage, id=number))
    writer.commit()
    writer.wait_merging_threads()
    return index
