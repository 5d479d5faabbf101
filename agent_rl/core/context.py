"""What code deep inside an episode may know of it: tools, rewards and wrappers, wherever they run."""

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from agent_rl.core.deadlines import Excuse

_CHARACTERS = 4  # of an average token of English, where no tokenizer is at hand


def estimated_tokens(text: str) -> int:
    """Return about how many tokens `text` has, where no tokenizer is at hand: a token for four characters."""
    return -(-len(text) // _CHARACTERS)


@dataclass(frozen=True)
class EpisodeContext:
    """One episode, as it is being played.

    Attributes:
        episode: Its name, unique in the run; a fresh attempt has another one.
        group: The name of its group: the same in every episode that it is compared with, and in all their attempts.
        count_tokens: Counts the tokens of a text as the policy reads it.
        counters: What happened by name, summed over the episode; it ends up in the trajectory and the metrics.
        excuse: What its deadlines leave out: a tool tells it of waits for a place and of attempts that were lost.
    """

    episode: str = ""
    group: str = ""
    count_tokens: Callable[[str], int] = estimated_tokens
    counters: dict[str, float] = field(default_factory=dict)
    excuse: Excuse = field(default_factory=Excuse, compare=False, repr=False)


_counting = threading.Lock()
_current: contextvars.ContextVar[EpisodeContext | None] = contextvars.ContextVar("episode", default=None)


def enter(context: EpisodeContext) -> None:
    """Let `current`, in this task and in the tasks and threads it starts, return `context`."""
    _current.set(context)


def current() -> EpisodeContext:
    """Return the episode that is being played; outside a rollout, one without a name that nobody looks at."""
    return _current.get() or EpisodeContext()


def count(name: str, amount: float = 1) -> None:
    """Add to a counter of the episode, such as `tools/search/retries`; outside a rollout nothing happens."""
    counters = current().counters
    with _counting:
        counters[name] = counters.get(name, 0.0) + amount
