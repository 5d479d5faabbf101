"""The environment `countdown`: reach a target with given numbers."""

from agent_rl.envs.countdown.env import Countdown, CountdownSettings

__all__ = ["Countdown", "CountdownSettings"]
