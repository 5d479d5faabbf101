"""Threads beside event loops: plain functions beside a loop, and a loop beside plain code."""

import asyncio
import atexit
import concurrent.futures
import contextvars
import logging
import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from agent_rl.core.errors import UserError
from agent_rl.core.virtual_time import VirtualTimeLoop

T = TypeVar("T")
logger = logging.getLogger(__name__)


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread and return its result.

    No call waits for a free thread: one that is idle is taken, or a new one begun, so that a time-out measures the call
    alone. The threads are daemons: one that hangs holds up neither the event loop's end nor the program's. The caller's
    context variables are seen there.
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        return _called(work)
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(settle: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            settle(value)

    def run() -> None:
        try:
            settle, value = future.set_result, context.run(_called, work)
        except BaseException as error:
            settle, value = future.set_exception, error  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(deliver, settle, value)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            return

    _Hand.lend(run)
    return await future


def _called(work: Callable[[], T]) -> T:
    """Call `work`; a `StopIteration`, which no future can hold, becomes the error that it is."""
    try:
        return work()
    except StopIteration as error:
        raise RuntimeError("it raised StopIteration, as next() does at the end of an iterator") from error


class _Hand(threading.Thread):
    """A thread that does one thing after the other, and ends when it has been idle for a while."""

    _IDLE = 10.0
    _idle: ClassVar[deque["_Hand"]] = deque()

    def __init__(self) -> None:
        super().__init__(daemon=True, name="agent_rl-call")
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    @classmethod
    def lend(cls, work: Callable[[], None]) -> None:
        """Let an idle thread, or a new one, do `work`, which raises nothing."""
        try:
            hand = cls._idle.pop()
        except IndexError:
            hand = cls()
            hand.start()
        hand._work.put(work)

    def run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=self._IDLE)
            except queue.Empty:
                try:
                    self._idle.remove(self)
                    return
                except ValueError:  # it has been taken at this very moment
                    work = self._work.get()
            work()
            del work  # what it holds is not to live until the next
            self._idle.append(self)


os.register_at_fork(after_in_child=_Hand._idle.clear)  # a process that was forked has none of the threads


class BlockedLoopError(UserError):
    """The event loop does not turn any more: something on it blocks instead of awaiting."""


class LoopThread:
    """An event loop in a thread of its own: what was started on it goes on while plain code computes."""

    _PATIENCE = 20.0
    """Seconds after which a loop that does not turn is reported."""
    _LIMIT = 600.0
    """Seconds after which it is given up."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True, name="agent_rl-loop")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and return its result; an interrupt cancels it and lets it clean up.

        Raises:
            BlockedLoopError: Something has blocked the loop for too long; the message names the line of code.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        blocked = 0.0
        try:
            while True:
                turned = threading.Event()
                self._loop.call_soon_threadsafe(turned.set)
                done, _ = concurrent.futures.wait([future], timeout=self._PATIENCE)
                if done:
                    return future.result()
                blocked = 0.0 if turned.is_set() else blocked + self._PATIENCE
                if blocked >= self._LIMIT:
                    raise BlockedLoopError(f"the event loop has been blocked for {blocked:g} s: {self._place()}")
                if blocked:
                    logger.warning("the event loop has not turned for %g s: %s", blocked, self._place())
        except BaseException:
            if not future.done() and self.turns():
                future.cancel()
                self._settle()
            raise

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop, in the caller's context, and await it from another; cancelling this cancels it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    @property
    def closed(self) -> bool:
        """Whether the thread has ended."""
        return self._loop.is_closed() or not self._thread.is_alive()

    def turns(self, seconds: float = 2.0) -> bool:
        """Return whether the loop answers within `seconds`; one that something blocks does not."""
        turned = threading.Event()
        self._loop.call_soon_threadsafe(turned.set)
        return turned.wait(seconds)

    def close(self) -> None:
        """Cancel what is still running and end the thread; a loop that is blocked is left behind. Harmless twice."""
        if self.closed:
            return
        if not self.turns():
            logger.warning("the event loop is blocked and left behind: %s", self._place())
            return
        self._settle(cancel=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self) -> None:
        while True:
            try:
                return self._loop.run_forever()
            except SystemExit:  # raised in a task, whose awaiter is told; it is not the loop's end
                continue

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


_services: LoopThread | None = None
_starting = threading.Lock()


def service_loop() -> LoopThread:
    """Return this process's loop for what outlives the loops that use it, such as connections to a run's services.

    Environments are stepped from many loops, each of plain `step` from one of its own. The loop ends with the program,
    and what runs on it is then cancelled and may clean up.
    """
    global _services
    with _starting:
        if _services is None or _services.closed:
            _services = LoopThread()
            atexit.register(_services.close)
        return _services
