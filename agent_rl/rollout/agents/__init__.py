"""Agents: who speaks in an episode, by tokens (`TokenAgent`) or by messages (`ChatAgent`)."""

from agent_rl.rollout.agents.base import Action, Agent, MakeAgent, Plan, group_plans
from agent_rl.rollout.agents.chat import ChatAgent
from agent_rl.rollout.agents.token import TokenAgent, checked

__all__ = ["Action", "Agent", "ChatAgent", "MakeAgent", "Plan", "TokenAgent", "checked", "group_plans"]
