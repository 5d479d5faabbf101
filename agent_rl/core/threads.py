"""Threads beside event loops: plain functions beside a loop, and a loop beside plain code."""

import asyncio
import concurrent.futures
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
logger = logging.getLogger(__name__)


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own and return its result.

    No call waits for a free thread, so that a time-out measures the call alone; and the thread is a daemon, so that one
    that hangs holds up neither the event loop's end nor the program's.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(settle: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            settle(value)

    def run() -> None:
        try:
            settle, value = future.set_result, work()
        except BaseException as error:
            settle, value = future.set_exception, error  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(deliver, settle, value)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            return

    threading.Thread(target=run, daemon=True, name="agent_rl-call").start()
    return await future


class LoopThread:
    """An event loop in a thread of its own: what was started on it goes on while plain code computes."""

    _PATIENCE = 20.0
    """Seconds after which a loop that does not turn is reported."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="agent_rl-loop")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and return its result; an interrupt cancels it and lets it clean up."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while True:
                turned = threading.Event()
                self._loop.call_soon_threadsafe(turned.set)
                done, _ = concurrent.futures.wait([future], timeout=self._PATIENCE)
                if done:
                    return future.result()
                if not turned.is_set():
                    logger.warning("the event loop has not turned for %g s: %s", self._PATIENCE, self._place())
        except BaseException:
            if not future.done():
                future.cancel()
                self._settle()
            raise

    @property
    def closed(self) -> bool:
        """Whether the thread has ended."""
        return self._loop.is_closed() or not self._thread.is_alive()

    def close(self) -> None:
        """Cancel what is still running and end the thread; harmless the second time."""
        if self.closed:
            return
        self._settle(cancel=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()

    def _settle(self, cancel: bool = False, seconds: float = 5.0) -> None:
        """Give the tasks of the loop some time to end; `cancel` them first if asked to."""

        async def wait() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            ending = [task for task in tasks if cancel or task.cancelling()]
            for task in ending if cancel else []:
                task.cancel()
            if ending:
                await asyncio.wait(ending, timeout=seconds)

        future = asyncio.run_coroutine_threadsafe(wait(), self._loop)
        concurrent.futures.wait([future], timeout=seconds + 1)

    def _place(self) -> str:
        """Return the line of code at which the loop's thread is."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        if frame is None:
            return "its thread is gone"
        last = traceback.extract_stack(frame)[-1]
        return f"it is in {last.name} ({last.filename}:{last.lineno})"
