"""Limits of an episode that belong to the environment: turns, seconds, tokens."""

import time
from typing import Any

from pydantic import PositiveFloat, PositiveInt, model_validator

from agent_rl.core.context import count
from agent_rl.core.message import Message
from agent_rl.core.settings import Settings
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.wrappers.base import AgentWrapper
from agent_rl.envs.wrappers.conversation import tokens_of


class LimitOptions(Settings):
    """What an episode may use; at least one of them."""

    turns: PositiveInt | None = None
    """Turns of the policy."""
    seconds: PositiveFloat | None = None
    """Seconds since the reset, looked at when a turn has been answered; results then depend on the machine's speed."""
    tokens: PositiveInt | None = None
    """Tokens of all that has been said, as the policy counts them, without what a chat template adds."""

    @model_validator(mode="after")
    def _some(self) -> "LimitOptions":
        if self.turns is self.seconds is self.tokens is None:
            raise ValueError("give at least one of turns, seconds and tokens")
        return self


class LimitEpisode(AgentWrapper):
    """Truncates the episode with the turn that reaches a limit; `info["limit"]` names it.

    It is counted as `limit/NAME`. The turn is played and rewarded: what is limited is what comes after it.
    """

    Options = LimitOptions
    options: LimitOptions

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode with nothing used."""
        self._began = time.monotonic()
        observation, info = await super().areset(seed=seed, options=options)
        self._turns, self._tokens = 0, tokens_of(observation)
        return observation, info

    async def astep(self, action: Message) -> StepResult:
        """Take a turn, and truncate where it used up something."""
        observation, reward, terminated, truncated, info = await super().astep(action)
        self._turns += 1
        if self.options.tokens is not None:
            self._tokens += tokens_of([action, *observation])
        reached = None if terminated or truncated else self._reached()
        if reached is None:
            return observation, reward, terminated, truncated, info
        count(f"limit/{reached}")
        return observation, reward, False, True, info | {"limit": reached}

    def _reached(self) -> str | None:
        used = {"turns": self._turns, "seconds": time.monotonic() - self._began, "tokens": self._tokens}
        limits = {name: getattr(self.options, name) for name in used}
        return next((name for name, most in limits.items() if most is not None and used[name] >= most), None)
