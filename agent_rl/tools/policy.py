"""The policy of a tool: how it may be used, declared once at the tool."""

import sys
from random import Random
from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.settings import Settings

_LONGEST_BACKOFF = 30.0  # seconds


class ToolPolicy(Settings):
    """How a tool may be used. Rate and concurrency hold for the whole run, in all its processes and machines."""

    timeout: PositiveFloat = 20.0
    """Seconds after which a call counts as an infrastructure failure; the wait for a place does not count."""
    retries: NonNegativeInt = 0
    """How often a call is tried again after an error of `retry_on`; no deadline of the episode counts what was lost."""
    retry_on: tuple[type[Exception], ...] = ()
    """Errors that are the infrastructure's beside `InfrastructureError`, time-outs, and connections that fail."""
    backoff: PositiveFloat = 0.5
    """Seconds before the first repetition, give or take a half; twice as many before each further one, 30 at most."""
    per_second: PositiveInt | None = None
    """Calls that may begin within a second."""
    per_minute: PositiveInt | None = None
    """Calls that may begin within a minute."""
    concurrency: PositiveInt | None = None
    """Calls that may go on at once."""
    queue_seconds: PositiveFloat = 600.0
    """Longest wait for a place under these limits; it is an infrastructure failure, and no other deadline counts it."""
    cache: Literal["memory", "disk"] | None = None
    """Keep answers, by tool and arguments: in this process, or in the cache folder for other runs too."""
    max_chars: PositiveInt = 4000
    """Longest output in characters; what is beyond is cut, and the policy sees that it was."""
    max_tokens: PositiveInt | None = None
    """Longest output in tokens of the policy, cut alike."""
    replay: bool = True
    """Whether a replayed run does without the function; false for one that changes its environment."""

    @property
    def limited(self) -> bool:
        """Whether a call needs a place."""
        return not (self.per_second is None and self.per_minute is None and self.concurrency is None)

    @property
    def rates(self) -> list[tuple[int, float]]:
        """The rates as pairs of calls and seconds."""
        given = ((self.per_second, 1.0), (self.per_minute, 60.0))
        return [(calls, seconds) for calls, seconds in given if calls is not None]

    def transient(self, error: Exception) -> bool:
        """Return whether `error` is the infrastructure's, so that another attempt may mend it."""
        if isinstance(error, (InfrastructureError, TimeoutError, ConnectionError, *self.retry_on)):
            return True
        httpx = sys.modules.get("httpx")  # unless it is loaded it has raised nothing
        return httpx is not None and isinstance(error, httpx.TransportError)

    def pause(self, attempt: int, seed: int) -> float:
        """Return the seconds to wait after failed attempt `attempt`, from 0."""
        seconds: float = min(self.backoff * 2.0**attempt, _LONGEST_BACKOFF)
        return seconds * (0.5 + Random(seed).random())
