"""Limits of an episode. Everything has one by default, so that nothing waits for ever."""

from pydantic import PositiveFloat, PositiveInt

from agent_rl.core.settings import Settings


class Limits(Settings):
    """What one episode may use."""

    turns: PositiveInt = 8
    """Turns of the policy in one episode."""
    turn_tokens: PositiveInt = 64
    """Tokens the policy may sample in one turn."""
    episode_tokens: PositiveInt = 512
    """Tokens of the whole episode: prompt, actions and observations."""
    tool_seconds: PositiveFloat = 30.0
    """Deadline of one environment step, tools included."""
    turn_seconds: PositiveFloat = 120.0
    """Deadline of one generation, without the wait for a place at the engine."""
    episode_seconds: PositiveFloat = 600.0
    """Deadline of the whole episode, without waits for a place at the engine and pauses of it."""
