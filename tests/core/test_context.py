"""What happens deep inside an episode is counted there, wherever it runs, and shows in trajectories and metrics."""

import asyncio

from agent_rl.core.context import EpisodeContext, count, current, enter, estimated_tokens
from agent_rl.core.threads import in_thread


def test_counts_in_tasks_and_threads_of_an_episode_are_its_own():
    async def episode(name: str, times: int) -> dict[str, float]:
        enter(EpisodeContext(name, "g"))
        await asyncio.gather(*(asyncio.create_task(in_thread(lambda: count("calls"))) for _ in range(times)))
        count("seconds", 0.5)
        assert current().episode == name
        return current().counters

    async def both() -> list[dict[str, float]]:
        tasks = [asyncio.create_task(episode(name, times)) for name, times in (("a", 3), ("b", 50))]
        return await asyncio.gather(*tasks)

    assert asyncio.run(both()) == [{"calls": 3, "seconds": 0.5}, {"calls": 50, "seconds": 0.5}]


def test_outside_a_rollout_counting_does_nothing_and_tokens_are_estimated():
    count("calls")
    assert current().counters == {}
    assert current().count_tokens("twelve chars") == estimated_tokens("twelve chars") == 3
