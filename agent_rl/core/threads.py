"""Threads beside event loops: plain functions beside a loop, and a loop beside plain code."""

import asyncio
import atexit
import contextvars
import logging
import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Generic, TypeVar

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


class _Asked(Generic[T]):
    """Work that a loop does for another thread, which a signal may strike at any moment.

    So the coroutine is made on the loop: one that was made in the thread and not handed over yet would be left behind,
    and Python complains of it. And the thread waits at a queue that is written in C: an interrupt that strikes as it
    takes a lock of `threading` or `concurrent.futures` would leave it locked, and the loop waiting for it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Be ready to do `work` on `loop`."""
        self._loop, self._work = loop, work
        self._task: asyncio.Task[T] | None = None
        self._ended: queue.SimpleQueue[asyncio.Task[T]] = queue.SimpleQueue()

    def begin(self) -> None:
        """Let the loop begin it."""
        self._loop.call_soon_threadsafe(self._begin)

    def ended(self, seconds: float) -> asyncio.Task[T] | None:
        """Return the task once it has ended, or None after `seconds`."""
        try:
            return self._ended.get(timeout=seconds)
        except queue.Empty:
            return None

    def cancel(self) -> None:
        """Cancel it; harmless when it has ended, or was never begun."""
        self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())

    def _begin(self) -> None:
        async def made() -> T:
            return await self._work()

        self._task = self._loop.create_task(made())
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        _ = task.cancelled() or task.exception()  # taken note of, even if an interrupt has ended the wait for it
        self._ended.put(task)


class LoopThread:
    """An event loop in a thread of its own: what was started on it goes on while plain code computes."""

    _PATIENCE = 20.0
    """Seconds after which a loop that does not turn is reported."""
    _LIMIT = 600.0
    """Seconds after which it is given up."""
    _STEP = 5.0
    """Seconds that something on it may compute before an end that is asked for is made without it."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True, name="agent_rl-loop")
        self._thread.start()

    def run(self, work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run `work(*arguments)` on the loop and return its result; an interrupt cancels it and lets it clean up.

        Raises:
            BlockedLoopError: Something has blocked the loop for too long; the message names the line of code.
        """
        asked = _Asked(self._loop, lambda: work(*arguments))
        try:
            asked.begin()
            ended = self._ended(asked)
        except BaseException:
            asked.cancel()
            if self.turns():
                self._settle()
            raise
        return ended.result()

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop, in the caller's context, and await it from another; cancelling this cancels it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    @property
    def closed(self) -> bool:
        """Whether the thread has ended."""
        return self._loop.is_closed() or not self._thread.is_alive()

    def turns(self) -> bool:
        """Return whether the loop answers within some seconds; one that something blocks does not."""
        try:
            self._turn().get(timeout=self._STEP)
        except queue.Empty:
            return False
        return True

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

    def _ended(self, asked: _Asked[T]) -> asyncio.Task[T]:
        """Wait for the end of what was asked for, and say where the loop is when it does not turn meanwhile."""
        blocked = 0.0
        while True:
            turned = self._turn()
            if ended := asked.ended(self._PATIENCE):
                return ended
            blocked = blocked + self._PATIENCE if turned.empty() else 0.0
            if blocked >= self._LIMIT:
                raise BlockedLoopError(f"the event loop has been blocked for {blocked:g} s: {self._place()}")
            if blocked:
                logger.warning("the event loop has not turned for %g s: %s", blocked, self._place())

    def _turn(self) -> queue.SimpleQueue[None]:
        """Return a queue that has something as soon as the loop has turned."""
        turned: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._loop.call_soon_threadsafe(turned.put, None)
        return turned

    def _settle(self, cancel: bool = False, seconds: float = 5.0) -> None:
        """Give the tasks of the loop some time to end; `cancel` them first if asked to."""

        async def wait() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            ending = [task for task in tasks if cancel or task.cancelling()]
            for task in ending if cancel else []:
                task.cancel()
            if ending:
                await asyncio.wait(ending, timeout=seconds)

        waiting = _Asked(self._loop, wait)
        waiting.begin()
        waiting.ended(seconds + 1)

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
