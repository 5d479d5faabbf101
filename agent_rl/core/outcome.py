"""How an episode ended, and whose fault a failure was."""

from dataclasses import dataclass
from enum import StrEnum

_LONGEST = 300  # characters of a failure's message


class StopReason(StrEnum):
    """Why an episode ended."""

    ANSWERED = "answered"  # the environment terminated the episode
    TURN_LIMIT = "turn_limit"  # the environment's or the rollout's number of turns was used up
    TURN_LENGTH = "turn_length"  # one turn used up its tokens without a stop token
    EPISODE_LENGTH = "episode_length"  # the episode used up its tokens
    REWRITTEN = "rewritten"  # the environment rewrote the context; the episode goes on in its next trajectory
    FAILED = "failed"  # see the failure


class Cause(StrEnum):
    """Who caused a failure. Only what the policy caused is a result; the others never become a reward."""

    POLICY = "policy"
    ENVIRONMENT = "environment"
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True)
class Failure:
    """A failure with its cause and where it came from (a tool's or an engine's name)."""

    cause: Cause
    source: str
    message: str


class EpisodeError(Exception):
    """Raised by tools, environments and engines to end an episode with a failure of a stated cause."""

    cause = Cause.ENVIRONMENT

    def __init__(self, source: str, message: str) -> None:
        """Keep where it happened (`source`) and what happened, in one line of bounded length."""
        self.source = source
        self.message = _one_line(message)
        super().__init__(f"{source}: {self.message}")

    def failure(self) -> Failure:
        """Return the failure to store with the trajectory."""
        return Failure(self.cause, self.source, self.message)


class InfrastructureError(EpisodeError):
    """A service, the network or a machine failed; the policy cannot have caused it."""

    cause = Cause.INFRASTRUCTURE


class BrokenEnvironmentError(EpisodeError):
    """The environment's own code failed."""


def told(error: BaseException) -> str:
    """Return an exception's type and text; the text may be missing, and making it may fail."""
    try:
        text = str(error)
    except Exception:
        text = "(it has no readable text)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _one_line(text: str) -> str:
    """Return `text` without line breaks, cut to what fits into a log, and fit to be written; it may be of any size."""
    line = " ".join(text[: 2 * _LONGEST].encode(errors="backslashreplace").decode().split())
    return line if len(line) <= _LONGEST and len(text) <= 2 * _LONGEST else f"{line[:_LONGEST]} …"
