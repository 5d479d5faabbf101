"""The environment `math`: problems generated with their answers, or taken from a file, in a single turn."""

from agent_rl.envs.math.env import Math, MathSettings

__all__ = ["Math", "MathSettings"]
