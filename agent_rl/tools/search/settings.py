"""Settings of retrievers."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from agent_rl.core.settings import Settings


class Bm25Settings(Settings):
    """Full-text search in this process."""

    name: Literal["bm25"] = "bm25"
    """Words: tantivy's BM25."""


class DenseSettings(Settings):
    """Nearest embeddings in this process."""

    name: Literal["dense"] = "dense"
    """Embeddings: a sentence-embedding model and faiss. Needs `agent-rl[dense]`."""
    model: str = ""
    """A folder or a name on the Hugging Face hub; by default all-MiniLM-L6-v2, which comes with `agent-rl[dense]`."""


class HttpSettings(Settings):
    """A server that speaks Search-R1's `/retrieve`, such as `agent-rl serve retriever`."""

    name: Literal["http"] = "http"
    """Another process, or another machine."""
    url: str = "http://127.0.0.1:8000"
    """Where it listens."""
    seconds: PositiveFloat = 15.0
    """Deadline of one request."""
    connections: int = Field(default=64, ge=1)
    """Most requests at once."""


RetrieverSettings = Annotated[Bm25Settings | DenseSettings | HttpSettings, Field(discriminator="name")]
