"""What failed in a step, in one line, and the budget of it."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Group

logger = logging.getLogger(__name__)
Culprits = Mapping[tuple[str, str], int]
"""How often something failed, by its source and its message."""
_Kind = tuple[str, str]
_NAMED = 3  # kinds of failures that a line names


class FailureBudgetError(UserError):
    """More episodes failed than the budget allows."""

    exit_status = 3


class EngineFailedError(UserError):
    """The engine cannot be used at all; no episode is to blame."""

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
    episodes = [episode for group in groups for episode in group.played]
    failures = [episode[-1].failure for episode in episodes if not episode[-1].usable]
    final = Counter((failure.source, failure.message) for failure in failures if failure is not None)
    examples: dict[_Kind, str] = {}
    if not final and not retried:
        return
    lost, times = final.total(), "once" if attempts == 1 else f"{attempts} times each"
    if lost > budget * len(episodes):
        kind, count = _kinds(final, examples).most_common(1)[0]
        raise FailureBudgetError(
            f"{lost} of {len(episodes)} episodes failed {times}, more than the budget of {budget:.0%}; "
            f"the most frequent failure ({count} times) is in '{kind[0]}': {examples[kind]}"
        )
    kinds = _kinds(final, examples) + _kinds(retried, examples)
    logger.warning(
        "%d of %d episodes failed for good and are left out, %d attempts were repeated: %s",
        lost,
        len(episodes),
        sum(retried.values()),
        _named(kinds, examples),
    )


def _kinds(culprits: Culprits, examples: dict[_Kind, str]) -> Counter[_Kind]:
    """Count failures whose messages differ in numbers only as one, and keep the first message of each kind."""
    counts: Counter[_Kind] = Counter()
    for (source, message), count in culprits.items():
        kind = source, re.sub(r"\d+", "0", message)
        examples.setdefault(kind, message)
        counts[kind] += count
    return counts


def _named(kinds: Counter[_Kind], examples: Mapping[_Kind, str]) -> str:
    named = [f"{count} x {kind[0]}: {examples[kind]}" for kind, count in kinds.most_common(_NAMED)]
    return ", ".join(named) + (f" and {len(kinds) - len(named)} other kinds" if len(kinds) > len(named) else "")
