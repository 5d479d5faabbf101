"""Search over passages: full-text or dense, in this process or on a server."""

from agent_rl.tools.search.base import Hit, Index, Retriever
from agent_rl.tools.search.index import PassageIndex

__all__ = ["Hit", "Index", "PassageIndex", "Retriever"]
