"""Search over passages: a full-text index that is built once and cached."""

from agent_rl.tools.search.index import PassageIndex

__all__ = ["PassageIndex"]
