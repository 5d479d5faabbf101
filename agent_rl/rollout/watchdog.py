"""The watchdog: when no episode ends for a while, it says who waits for what, and for how long."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

from agent_rl.rollout.engines.base import Host
from agent_rl.rollout.episode import Episode
from agent_rl.rollout.runner import Runner

logger = logging.getLogger(__name__)
_NAMED = 4  # things waited for that a line names


async def watch(runner: Runner, engine: Host, seconds: float) -> None:
    """Log a line whenever no episode has ended for `seconds`, until cancelled."""
    while True:
        before = runner.ended
        await asyncio.sleep(seconds)
        if runner.ended == before and runner.playing:
            waits = waited_for(runner.playing.values(), asyncio.get_running_loop().time())
            logger.warning(
                "no episode has ended for %g s; %d are playing: %s; the engine: %s",
                seconds,
                len(runner.playing),
                waits,
                engine.status(),
            )


def waited_for(episodes: Iterable[Episode], now: float) -> str:
    """Return what the episodes wait for: how many for each thing, and the longest wait, `11 x sandbox 312 s`."""
    since: dict[str, list[float]] = defaultdict(list)
    for episode in episodes:
        for what, begun in episode.waits.innermost():
            since[what].append(begun)
    named = sorted(since.items(), key=lambda item: (-len(item[1]), min(item[1])))
    texts = [f"{len(begun)} x {what} {now - min(begun):.0f} s" for what, begun in named[:_NAMED]]
    return ", ".join(texts) + (f" and {len(named) - _NAMED} other things" if len(named) > _NAMED else "")
