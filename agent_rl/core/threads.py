"""Plain functions beside an event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


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
