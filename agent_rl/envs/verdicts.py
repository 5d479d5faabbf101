"""Verdicts of judges by what was judged, in memory and in a folder."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from agent_rl.core.context import count, current
from agent_rl.core.files import read_json, write_json_atomic
from agent_rl.core.threads import in_thread

_KEPT = 100_000  # in memory; the oldest make place


class Verdicts:
    """Asks for every verdict once, also when several episodes want it at the same time. Belongs to one event loop."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[tuple[str, Path | None], float] = OrderedDict()
        self._wanted: dict[tuple[str, Path | None], asyncio.Task[float]] = {}

    async def get(self, key: str, folder: Path | None, ask: Callable[[], Coroutine[Any, Any, float]]) -> float:
        """Return the score known by `key`, here or in `folder`, or what `ask` gives; a failure is not kept."""
        place = (key, folder)
        if place in self._known:
            count("judge/cached")
            return self._known[place]
        if place in self._wanted:
            count("judge/cached")
            with current().excuse.queueing():  # it may wait for a place, which no deadline counts
                return await asyncio.shield(self._wanted[place])
        task = self._wanted[place] = asyncio.create_task(_found(key, folder, ask))
        task.add_done_callback(lambda ended: self._settle(place, ended))
        return await asyncio.shield(task)

    def _settle(self, place: tuple[str, Path | None], ended: "asyncio.Task[float]") -> None:
        del self._wanted[place]
        if ended.cancelled() or ended.exception() is not None:
            return
        self._known[place] = ended.result()
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)


async def _found(key: str, folder: Path | None, ask: Callable[[], Coroutine[Any, Any, float]]) -> float:
    """Return the score in a file, or ask and write it; files are whole or not there, so processes may share them."""
    if folder is None:
        return await ask()
    file = folder / key[:2] / f"{key}.json"
    kept = await in_thread(lambda: read_json(file))
    if kept:
        count("judge/cached")
        return float(kept["score"])
    score = await ask()
    await in_thread(lambda: write_json_atomic(file, {"score": score}))
    return score
