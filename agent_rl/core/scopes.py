"""What lives as long as an episode, a group or a run, and is closed with it."""

import asyncio
import atexit
import inspect
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent_rl.core.deadlines import Overdue, within
from agent_rl.core.outcome import told
from agent_rl.core.threads import in_thread

T = TypeVar("T")
logger = logging.getLogger(__name__)
RUN = "run"
"""The scope of what lives as long as the run."""
_GRACE = 5.0  # seconds that something has to close


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: bool = False
    value: Any = None


_scopes: dict[str, dict[object, _Kept]] = {}
_table = threading.Lock()
_ending: set[asyncio.Future[None]] = set()
# A process that was forked makes its own: it has none of the threads, and to share connections would mix the answers.
os.register_at_fork(after_in_child=_scopes.clear)


def keep(scope: str, key: object, make: Callable[[], T]) -> T:
    """Return what a scope keeps under `key`, made when it is first asked for; from any thread.

    Args:
        scope: The name of an episode or of a group, or `RUN`.
        key: What is kept; a class, say.
        make: Makes it. Others that ask meanwhile wait, so that there is one.

    Raises:
        RuntimeError: The scope ended before it was made. It is closed, and nobody waits for it any more.
    """
    with _table:
        kept = _scopes.setdefault(scope, {}).setdefault(key, _Kept())
    with kept.lock:
        if not kept.made:
            kept.value = make()
            with _table:
                kept.made, late = True, _scopes.get(scope, {}).get(key) is not kept
            if late:
                _close_now(kept.value)
                raise RuntimeError(f"'{scope}' ended before {type(kept.value).__name__} was made")
        value: T = kept.value
        return value


async def end(scope: str) -> None:
    """Forget what a scope keeps, and close all that has a `close`, plain or async, for 5 seconds at most each.

    What does not close is logged: the results are there already.
    """
    for value, close in _closers(scope):
        try:
            await within(_GRACE, close() if inspect.iscoroutinefunction(close) else in_thread(close))
        except Overdue:
            logger.warning("%s was not closed within %g s", type(value).__name__, _GRACE)
        except Exception as error:
            logger.warning("%s could not be closed: %s", type(value).__name__, told(error))


def end_soon(scope: str) -> None:
    """Do what `end` does beside what goes on; `settle` waits for it."""
    if scope in _scopes:
        ending = asyncio.ensure_future(end(scope))
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)


async def settle() -> None:
    """Wait for the scopes of this event loop that are being ended, and end the run's."""
    here = asyncio.get_running_loop()
    await asyncio.gather(*(ending for ending in _ending if ending.get_loop() is here), end(RUN))


def _closers(scope: str) -> list[tuple[Any, Callable[[], Any]]]:
    if scope not in _scopes:
        return []
    with _table:
        values = [kept.value for kept in _scopes.pop(scope, {}).values() if kept.made]
    return [(value, value.close) for value in values if callable(getattr(value, "close", None))]


@atexit.register
def _end_all() -> None:
    """Close what is left when the program ends, when no thread can be begun any more."""
    for scope in list(_scopes):
        for value, _ in _closers(scope):
            _close_now(value)


def _close_now(value: Any) -> None:
    """Close a value from a thread without an event loop; harmless when it has nothing to close."""
    with suppress(Exception):
        closing = value.close()
        if inspect.iscoroutine(closing):
            asyncio.run(closing)
