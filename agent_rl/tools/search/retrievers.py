"""Retrievers: an index in this process, or a server."""

from agent_rl.clients.retriever import client
from agent_rl.core.threads import in_thread
from agent_rl.tools.search.base import Hit, Index
from agent_rl.tools.search.settings import HttpSettings


class LocalRetriever:
    """An index in this process."""

    def __init__(self, index: Index) -> None:
        """Ask `index`."""
        self._index = index

    async def search(self, query: str, results: int) -> list[Hit]:
        """Return at most `results` hits, best first."""
        return (await in_thread(lambda: self._index.find([query], results)))[0]


class HttpRetriever:
    """A server that speaks Search-R1's `/retrieve`."""

    def __init__(self, settings: HttpSettings) -> None:
        """Ask the server at `settings.url`."""
        self._settings = settings

    async def search(self, query: str, results: int) -> list[Hit]:
        """Return at most `results` hits, best first."""
        settings = self._settings
        (found,) = await client(settings.url, settings.connections).retrieve([query], results, settings.seconds)
        return [Hit(document.contents, document.id, score) for document, score in found]
