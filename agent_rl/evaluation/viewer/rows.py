"""The rows of a file: a line for each trajectory."""

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest
from typing import Any, Protocol, TypeVar

import msgspec

from agent_rl.evaluation.viewer.cache import FileCache
from agent_rl.rollout.outlines import Outline, read_outlines

OUTLINES: FileCache[list[Outline]] = FileCache(read_outlines, len, 200_000)
"""The outlines of files, at most so many of all together."""


def rows(outlines: Sequence[Outline], success_at: float) -> list[dict[str, Any]]:
    """Return a row for each trajectory."""
    starts = [place for place, outline in enumerate(outlines) if place == 0 or outline.part == 0]
    episodes = (outlines[begin:end] for begin, end in pairwise([*starts, len(outlines)]))
    return [
        row(part, success) for episode in episodes for success in [_success(episode, success_at)] for part in episode
    ]


def row_of(outlines: Sequence[Outline], number: int, success_at: float) -> dict[str, Any]:
    """Return the row of one of the trajectories."""
    begin, end = number, number + 1
    while begin > 0 and outlines[begin].part > 0:
        begin -= 1
    while end < len(outlines) and outlines[end].part > 0:
        end += 1
    return row(outlines[number], _success(outlines[begin:end], success_at))


def row(outline: Outline, success: bool | None) -> dict[str, Any]:
    """Return the row of a trajectory whose episode was a success, was none, or (None) tells nothing of the policy."""
    return {
        "number": outline.number,
        "task": outline.task_id,
        "sample": outline.sample,
        "part": outline.part,
        "reward": outline.reward,
        "success": success,
        "stop": outline.stop,
        "failure": msgspec.structs.asdict(outline.failure) if outline.failure else None,
        "turns": outline.turns,
        "tokens": outline.tokens,
        "action_tokens": outline.action_tokens,
        "tools": outline.tools,
        "invalid": outline.invalid_calls,
        "seconds": outline.seconds,
        "attributes": outline.attributes,
        "first": outline.first,
    }


class Rewarded(Protocol):
    """What a choice of trajectories looks at."""

    @property
    def usable(self) -> bool:
        """Whether the episode says something about the policy."""
        ...

    @property
    def reward(self) -> float:
        """Its reward."""
        ...


T = TypeVar("T", bound=Rewarded)


def choose(trajectories: Iterable[T], success_at: float, count: int = 3) -> list[T]:
    """Draw successes and failures in turn, beginning with what is more frequent; the same ones at every call."""
    usable = [trajectory for trajectory in trajectories if trajectory.usable]
    random.Random(0).shuffle(usable)
    kinds = [[t for t in usable if (t.reward >= success_at) is success] for success in (True, False)]
    more, fewer = sorted(kinds, key=len, reverse=True)
    in_turn = [t for pair in zip_longest(more, fewer[: count // 2]) for t in pair if t is not None]
    return in_turn[:count]


def _success(episode: Sequence[Outline], success_at: float) -> bool | None:
    """Return whether an episode, all its parts together, was a success; None where it tells nothing of the policy."""
    if not all(part.usable for part in episode):
        return None
    return sum(part.reward for part in episode) >= success_at
