"""Search-R1's retriever API: `POST /retrieve` with queries, passages with scores come back."""

import asyncio
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError

from agent_rl.clients.http import JsonClient
from agent_rl.core.outcome import InfrastructureError

SOURCE = "retriever"


class Document(BaseModel):
    """A passage as the corpus has it; its title, if it has one, is the first line of `contents`."""

    contents: str
    id: str = ""


class _Found(BaseModel):
    document: Document
    score: float = 0.0  # proxies of web search engines give none


class _Answer(BaseModel):
    result: list[list[_Found]]


class RetrieverClient:
    """Asks one retriever."""

    def __init__(self, url: str, connections: int) -> None:
        """Ask the server at `url` over at most `connections` at once."""
        self._http = JsonClient(SOURCE, url, connections)

    async def retrieve(
        self, queries: Sequence[str], results: int, seconds: float
    ) -> list[list[tuple[Document, float]]]:
        """Return at most `results` documents with their scores for each query, best first, within `seconds`.

        Raises:
            InfrastructureError: There was no answer, or not one to these queries.
        """
        # Without the scores the reference server fails, or mixes up the answers to two queries.
        body = {"queries": list(queries), "topk": results, "return_scores": True}
        said = await self._http.call_json("POST", "/retrieve", body, seconds=seconds)
        try:
            answer = _Answer.model_validate(said)
        except ValidationError as error:
            raise InfrastructureError(SOURCE, f"{self._http.url} answered what is no result: {error}") from error
        if len(answer.result) != len(queries):
            raise InfrastructureError(
                SOURCE, f"{self._http.url} answered {len(answer.result)} of {len(queries)} queries"
            )
        return [[(found.document, found.score) for found in row[:results]] for row in answer.result]


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], RetrieverClient]] = WeakKeyDictionary()


def client(url: str, connections: int) -> RetrieverClient:
    """Return the client of a retriever that all episodes of this event loop share."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if (url, connections) not in clients:
        clients[url, connections] = RetrieverClient(url, connections)
    return clients[url, connections]
