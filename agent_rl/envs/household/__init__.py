"""The environment `household`: chores in a generated home, done by commands in plain words."""

from agent_rl.envs.household.env import Household, HouseholdSettings

__all__ = ["Household", "HouseholdSettings"]
