"""Agents: who speaks in an episode, by tokens (`TokenAgent`) or by messages (`ChatAgent`, `ScriptedAgent`)."""

from agent_rl.rollout.agents.base import Action, Agent, Beside, MakeAgent, Plan, group_plans
from agent_rl.rollout.agents.chat import ChatAgent
from agent_rl.rollout.agents.demonstrating import DemonstratingAgent, token_agent
from agent_rl.rollout.agents.scripted import Follower, ScriptedAgent
from agent_rl.rollout.agents.token import TokenAgent, checked

__all__ = [
    "Action",
    "Agent",
    "Beside",
    "ChatAgent",
    "DemonstratingAgent",
    "Follower",
    "MakeAgent",
    "Plan",
    "ScriptedAgent",
    "TokenAgent",
    "checked",
    "group_plans",
    "token_agent",
]
