"""Full-text search over short passages with tantivy (BM25)."""

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tantivy

_WORDS = re.compile(r"[^\W_]+")


class PassageIndex:
    """A BM25 index over passages. Thread-safe for searching; it never changes once it is built."""

    def __init__(self, folder: Path) -> None:
        """Open the index that `build` left in `folder`."""
        self._passages: list[str] = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
        self._index = tantivy.Index.open(str(folder / "tantivy"))
        self._searcher = self._index.searcher()

    @classmethod
    def build(cls, passages: Sequence[str], folder: Path) -> "PassageIndex":
        """Index `passages` into `folder` and open it.

        The work happens beside `folder`, which appears only when it is complete: two processes may build at once, and
        one that is killed leaves nothing half done.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            (work / "tantivy").mkdir()
            schema = tantivy.SchemaBuilder()
            schema.add_text_field("body", tokenizer_name="default")
            schema.add_integer_field("id", stored=True)
            index = tantivy.Index(schema.build(), path=str(work / "tantivy"))
            # One thread: documents keep their order, so equal scores come back in the same order on every machine.
            writer = index.writer(heap_size=64_000_000, num_threads=1)
            for number, passage in enumerate(passages):
                writer.add_document(tantivy.Document(body=passage, id=number))
            writer.commit()
            writer.wait_merging_threads()
            (work / "passages.json").write_text(json.dumps(list(passages), ensure_ascii=False), encoding="utf-8")
            work.chmod(0o755)
            try:
                work.rename(folder)
            except OSError:
                try:
                    return cls(folder)  # another process was quicker
                except (OSError, ValueError):  # what is there is damaged
                    shutil.rmtree(folder, ignore_errors=True)
                    work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return cls(folder)

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self._passages)

    def search(self, query: str, results: int = 1) -> list[str]:
        """Return the `results` best passages for the words of `query`, best first; none when no word is known."""
        words = " ".join(_WORDS.findall(query)[:64]).lower()
        if not words:
            return []
        parsed = self._index.parse_query(words, ["body"])
        hits = self._searcher.search(parsed, results).hits
        return [self._passages[self._searcher.doc(address)["id"][0]] for _, address in hits]
