"""A retriever as a server: an index behind Search-R1's `/retrieve`, for many training processes at once."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent_rl.tools.search.base import Hit, Index

MOST_QUERIES, MOST_RESULTS = 1024, 1000


class RetrieveRequest(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="ignore")

    queries: list[str] = Field(max_length=MOST_QUERIES)
    """The queries; each has a list of its own in the answer."""
    topk: int | None = Field(default=None, ge=1, le=MOST_RESULTS)
    """Passages for each query; the server's default where it is null."""
    return_scores: bool = False
    """Whether each passage comes with its score."""


def application(index: Index, size: int, results: int) -> Any:
    """Return the ASGI application: `POST /retrieve`, `GET /health`, and FastAPI's `/docs`.

    Args:
        index: Finds the passages; it is asked in threads.
        size: Passages in it, for `/health`.
        results: Passages for each query when a request does not say how many.
    """
    from fastapi import FastAPI

    app = FastAPI(title="agent-rl retriever")

    @app.post("/retrieve")  # type: ignore[untyped-decorator]
    def retrieve(request: RetrieveRequest) -> dict[str, Any]:
        """Find passages for each query, best first."""
        found = index.find(request.queries, request.topk or results)
        written = _with_score if request.return_scores else _document
        return {"result": [[written(hit) for hit in hits] for hits in found]}

    @app.get("/health")  # type: ignore[untyped-decorator]
    def health() -> dict[str, Any]:
        """Say that requests are answered."""
        return {"status": "ok", "passages": size}

    return app


def _document(hit: Hit) -> dict[str, Any]:
    return {"id": hit.id, "contents": hit.text}


def _with_score(hit: Hit) -> dict[str, Any]:
    return {"document": _document(hit), "score": hit.score}
