"""Deadlines: they hold, they are told apart from time-outs of the work, and nothing that is abandoned complains."""

import asyncio
import gc
import logging

import pytest

from agent_rl.core.deadlines import Excuse, Overdue, within
from agent_rl.core.virtual_time import VirtualTimeLoop


def run(work):
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


def test_a_deadline_that_passed_is_not_a_time_out_of_the_work():
    async def silent() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(Overdue):
        run(within(5, asyncio.sleep(6)))
    with pytest.raises(TimeoutError, match="of its own") as caught:
        run(within(5, silent()))
    assert not isinstance(caught.value, Overdue)


def test_work_that_cancels_itself_does_not_cancel_who_waits():
    async def gone() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="it cancelled itself"):
        run(within(5, gone()))


def test_work_that_fails_as_its_caller_is_cancelled_leaves_no_complaint(caplog):
    async def fails() -> None:
        raise ValueError("too late")

    async def cancelled() -> None:
        waiting = asyncio.create_task(within(5, fails()))
        await asyncio.sleep(0)  # it has begun its work, which has not run yet
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    with caplog.at_level(logging.ERROR):
        run(cancelled())
        gc.collect()
    assert caplog.text == ""


def test_waits_for_a_place_that_overlap_count_once_and_what_was_lost_counts_beside():
    async def work() -> float:
        excuse = Excuse()

        async def wait(before: float, seconds: float) -> None:
            await asyncio.sleep(before)
            with excuse.queueing():
                await asyncio.sleep(seconds)

        await asyncio.gather(wait(0, 10), wait(5, 10), wait(20, 1))
        now = asyncio.get_running_loop().time()
        for since in (now - 4, now - 3):  # side by side
            excuse.forgive(since)
        await asyncio.sleep(100)
        return excuse()

    assert run(work()) == pytest.approx(20)


def test_a_deadline_is_moved_by_a_wait_for_a_place_and_by_nothing_else():
    excuse = Excuse()

    async def work(after: float) -> None:
        with excuse.queueing():
            await asyncio.sleep(100)
        await asyncio.sleep(after)

    run(within(5, work(4), excuse))
    with pytest.raises(Overdue):
        run(within(5, work(6), excuse))
