"""Environments: the contract, rewards, the registry, and the environments that are shipped."""

from agent_rl.envs.base import AgentEnv, Demonstration
from agent_rl.envs.registration import ENVIRONMENTS, make, register_env
from agent_rl.envs.reward import reward
from agent_rl.envs.tool_env import MalformedPolicy, ToolEnv

__all__ = ["ENVIRONMENTS", "AgentEnv", "Demonstration", "MalformedPolicy", "ToolEnv", "make", "register_env", "reward"]
