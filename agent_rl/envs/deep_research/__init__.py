"""The environment `deep_research`: gather facts from several pages into a report that cites them."""

from agent_rl.envs.deep_research.env import DeepResearch, DeepResearchSettings

__all__ = ["DeepResearch", "DeepResearchSettings"]
