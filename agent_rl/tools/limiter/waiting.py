"""Waiting for a place at the limiter, which no deadline of an episode counts."""

import asyncio

from agent_rl.core.context import count, current
from agent_rl.core.deadlines import Overdue, waiting_for, within
from agent_rl.core.outcome import InfrastructureError
from agent_rl.tools.limiter.client import Place, enter
from agent_rl.tools.policy import ToolPolicy


async def wait_for_place(key: str, policy: ToolPolicy, source: str, counter: str) -> Place:
    """Return the right to make one call, as soon as the policy's rates and concurrency allow it.

    Args:
        key: What the limits are of; calls of one key, policy and run share them.
        policy: The limits, and the longest wait.
        source: What is called, for the log and for errors.
        counter: The counter of the episode to which the seconds of the wait are added.

    Raises:
        InfrastructureError: No place was free for too long, or the limiter cannot be reached.
    """
    clock = asyncio.get_running_loop().time
    begun = clock()
    got: list[Place] = []

    async def entering() -> None:
        got.append(await enter(key, policy))

    try:
        with waiting_for(f"a place at {source}"), current().excuse.queueing():
            await within(policy.queue_seconds, entering())
    except Overdue as error:
        raise InfrastructureError(source, f"no place was free within {policy.queue_seconds:g} s") from error
    except asyncio.CancelledError:
        for place in got:  # it came in the very moment in which the call was given up
            place.leave()
        raise
    finally:
        count(counter, clock() - begun)
    return got[0]
