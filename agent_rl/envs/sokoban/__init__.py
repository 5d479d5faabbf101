"""The environment `sokoban`: push every box onto a goal, in generated rooms that can be solved."""

from agent_rl.envs.sokoban.env import Sokoban, SokobanSettings

__all__ = ["Sokoban", "SokobanSettings"]
