"""The environment `search`: multi-hop questions on world geography, answered with a search tool."""

from agent_rl.envs.search.env import Search, SearchSettings

__all__ = ["Search", "SearchSettings"]
