"""The games that the shipped model `tiny_games` was shown."""

from random import Random

from agent_rl.envs.base import Demonstration
from agent_rl.envs.countdown import Countdown
from agent_rl.envs.frozen_lake import FrozenLake
from agent_rl.envs.guess import Guess
from agent_rl.envs.tool_env import ToolEnv


class Games(ToolEnv):
    """Demonstrations of `guess`, `countdown` and `frozen_lake`, equally many of each."""

    def __init__(self) -> None:
        """Make the games, with their defaults."""
        super().__init__()
        self._games = (Guess(), Countdown(), FrozenLake())

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a demonstration of any of the games."""
        return rng.choice(self._games).demonstrate(rng)
