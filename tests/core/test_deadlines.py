"""Deadlines: what is abandoned is forgotten, whatever becomes of it."""

import asyncio
import gc
from typing import Any

import pytest

from agent_rl.core.deadlines import within


def test_work_that_fails_in_the_moment_its_caller_is_cancelled_leaves_no_complaint():
    complaints: list[dict[str, Any]] = []

    async def fail(when: asyncio.Event) -> None:
        await when.wait()
        raise ValueError("too late")

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        when = asyncio.Event()
        work = asyncio.ensure_future(fail(when))
        caller = asyncio.create_task(within(60, work))
        await asyncio.sleep(0)
        work.add_done_callback(lambda _, caller=caller: caller.cancel())  # behind the caller's wake-up, before it runs
        when.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        del work, caller
        gc.collect()

    asyncio.run(run())
    assert complaints == []
