"""What failed in a step, in one line, and the budget of it."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Group

logger = logging.getLogger(__name__)
Culprits = Mapping[tuple[str, str], int]
"""How often something failed, by its source and its message."""


class FailureBudgetError(UserError):
    """More episodes failed than the budget allows."""

    exit_status = 3


def settle(groups: Sequence[Group], retried: Culprits, attempts: int, budget: float) -> None:
    """Log the failures of a step in one line; those that a fresh attempt mended too.

    Args:
        groups: The groups that ended.
        retried: Failures after which an episode was tried again.
        attempts: How often an episode is tried.
        budget: The share of episodes that may fail for good.

    Raises:
        FailureBudgetError: More did; the message names the most frequent culprit.
    """
    episodes = [episode for group in groups for episode in group.episodes]
    failures = [episode[-1].failure for episode in episodes if not episode[-1].usable]
    final = Counter((failure.source, failure.message) for failure in failures if failure is not None)
    if not final and not retried:
        return
    lost, times = final.total(), "once" if attempts == 1 else f"{attempts} times each"
    if lost > budget * len(episodes):
        ((source, message), count) = final.most_common(1)[0]
        raise FailureBudgetError(
            f"{lost} of {len(episodes)} episodes failed {times}, more than the budget of {budget:.0%}; "
            f"the most frequent failure ({count} times) is in '{source}': {message}"
        )
    both = Counter(final)
    both.update(retried)
    logger.warning(
        "%d of %d episodes failed for good and are left out, %d attempts were repeated: %s",
        lost,
        len(episodes),
        sum(retried.values()),
        _named(both.most_common(3), len(both)),
    )


def _named(culprits: Iterable[tuple[tuple[str, str], int]], kinds: int) -> str:
    named = [f"{count} x {source}: {message}" for (source, message), count in culprits]
    return ", ".join(named) + (f" and {kinds - len(named)} other kinds" if kinds > len(named) else "")
