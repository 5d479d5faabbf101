"""The environment `countdown_code`: find by a program how to reach a target with given numbers."""

from agent_rl.envs.countdown_code.env import CountdownCode, CountdownCodeSettings

__all__ = ["CountdownCode", "CountdownCodeSettings"]
