"""The environment `search_rewrite`: turn a question of a conversation into the one query that finds its answer."""

from agent_rl.envs.search_rewrite.env import SearchRewrite, SearchRewriteSettings

__all__ = ["SearchRewrite", "SearchRewriteSettings"]
