"""Wrappers for chat: what an environment says or hears, changed on the way."""

from agent_rl.envs.wrappers.base import AgentWrapper

__all__ = ["AgentWrapper"]
