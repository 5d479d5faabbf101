"""A loop in a thread of its own: what an interrupt of the program's first thread leaves of it."""

import asyncio
import gc
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from agent_rl.core.threads import LoopThread


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.close()


def interrupted(work: Callable[[], Any], place: int) -> bool:
    """Call `work`, interrupt it at a call, line or return of this thread, and return whether it came that far."""
    left = place

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        left -= frame.f_globals["__name__"].startswith(("agent_rl.", "asyncio."))
        if not left:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    try:
        sys.settrace(trace)
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


def test_an_interrupt_at_any_moment_leaves_no_coroutine_that_nobody_awaits(thread):
    async def work(word: str) -> str:
        await asyncio.sleep(0)
        return word

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        places = 1
        while interrupted(lambda: thread.run(work, "done"), places):
            places += 1
        gc.collect()
    assert places > 30 and [str(warning.message) for warning in said] == []
    assert thread.run(work, "done") == "done"


def test_what_is_interrupted_is_cancelled_and_cleans_up(thread):
    cleaned: list[str] = []

    async def work() -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    with pytest.raises(KeyboardInterrupt):
        thread.run(work)
    assert cleaned == ["up"]


def test_work_that_fails_or_is_cancelled_or_cannot_begin_says_so_to_who_waits(thread):
    async def fails() -> None:
        raise ValueError("broken")

    async def gone() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ValueError, match="broken"):
        thread.run(fails)
    with pytest.raises(asyncio.CancelledError):
        thread.run(gone)
    with pytest.raises(TypeError, match="positional"):
        thread.run(fails, "too much")
