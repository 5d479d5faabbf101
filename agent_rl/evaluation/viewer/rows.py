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
    return [row(outline, success) for outline, success in zip(outlines, successes(outlines, success_at), strict=True)]


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


def successes(outlines: Sequence[Outline], success_at: float) -> list[bool | None]:
    """Return for each trajectory whether its episode, all its parts together, was a success."""
    found: list[bool | None] = []
    for episode in _episodes(outlines):
        reward = sum(part.reward for part in episode)
        found += [reward >= success_at if all(part.usable for part in episode) else None] * len(episode)
    return found


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


def _episodes(outlines: Sequence[Outline]) -> list[Sequence[Outline]]:
    """Return the trajectories of each episode, which lie side by side and are counted from 0."""
    starts = [place for place, outline in enumerate(outlines) if place == 0 or outline.part == 0]
    return [outlines[begin:end] for begin, end in pairwise([*starts, len(outlines)])]
