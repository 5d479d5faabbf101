"""The environment `guess`: find a hidden number, told higher or lower."""

from agent_rl.envs.guess.env import Guess

__all__ = ["Guess"]
