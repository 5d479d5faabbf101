"""The environment `frozen_lake`: walk over generated ice to the goal."""

from agent_rl.envs.frozen_lake.env import FrozenLake, FrozenLakeSettings

__all__ = ["FrozenLake", "FrozenLakeSettings"]
