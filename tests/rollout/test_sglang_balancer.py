"""The balancer: where the prefix is, else where there is least to do, never too much, and nobody forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.rollout.engines.sglang.balancer import Balancer

T = TypeVar("T")


def play(work: Callable[[Balancer[str]], Awaitable[T]], recovery_seconds: float = 5.0) -> T:
    async def scenario() -> T:
        return await asyncio.wait_for(work(Balancer(recovery_seconds)), 20)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(scenario())


async def take(balancer: Balancer[str], episode: str, priority: int = 0) -> str:
    return await balancer.take(episode, priority, balancer.arrival())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_new_episodes_go_where_there_is_least_to_do_for_its_size():
    async def work(balancer: Balancer[str]) -> list[str]:
        balancer.add("small", 2)
        balancer.add("large", 4)
        return [await take(balancer, str(number)) for number in range(6)]

    assert sorted(play(work)) == ["large"] * 4 + ["small"] * 2


def test_an_episode_returns_to_its_server_even_when_another_has_less_to_do():
    async def work(balancer: Balancer[str]) -> list[str]:
        balancer.add("a", 4)
        balancer.add("b", 4)
        first = await take(balancer, "e")
        balancer.give_back(first)
        others = [await take(balancer, f"o{number}") for number in range(3)]
        assert others.count(first) >= 1
        return [first, await take(balancer, "e")]

    first, again = play(work)
    assert first == again


def test_an_episode_whose_server_is_full_goes_elsewhere_rather_than_wait():
    async def work(balancer: Balancer[str]) -> tuple[str, str]:
        balancer.add("a", 1)
        balancer.add("b", 1)
        home = await take(balancer, "e")
        return home, await take(balancer, "e")

    assert set(play(work)) == {"a", "b"}


def test_more_than_there_is_room_for_wait_by_priority_then_arrival():
    async def work(balancer: Balancer[str]) -> list[str]:
        balancer.add("a", 1)
        held = await take(balancer, "first")
        order: list[str] = []

        async def one(name: str, priority: int) -> None:
            place = await take(balancer, name, priority)
            order.append(name)
            await asyncio.sleep(0)
            balancer.give_back(place)

        tasks = [asyncio.create_task(one(name, p)) for name, p in [("c", 1), ("a", 0), ("d", 1), ("b", 0), ("u", -5)]]
        await settle()
        assert not order and balancer.waiting == 5
        balancer.give_back(held)
        await asyncio.gather(*tasks)
        return order

    assert play(work) == ["u", "a", "b", "c", "d"]


def test_a_request_that_queues_again_keeps_its_place_in_the_queue():
    async def work(balancer: Balancer[str]) -> list[str]:
        balancer.add("a", 1)
        mine = balancer.arrival()
        place = await balancer.take("mine", 0, mine)
        later = asyncio.create_task(take(balancer, "later"))
        await settle()
        balancer.remove("a", "died")
        balancer.give_back(place)
        again = asyncio.create_task(balancer.take("mine", 0, mine))
        await settle()
        balancer.add("b", 1)
        await settle()
        return ["mine" if again.done() else "", "later" if later.done() else ""]

    assert play(work) == ["mine", ""]


def test_nothing_is_handed_out_while_held():
    async def work(balancer: Balancer[str]) -> bool:
        balancer.add("a", 4)
        balancer.hold()
        task = asyncio.create_task(take(balancer, "e"))
        await settle()
        waited = not task.done()
        balancer.free()
        await task
        return waited

    assert play(work)


def test_a_cancelled_request_leaves_its_place_to_others():
    async def work(balancer: Balancer[str]) -> int:
        balancer.add("a", 1)
        held = await take(balancer, "first")
        waiting = [asyncio.create_task(take(balancer, str(number))) for number in range(4)]
        await settle()
        waiting[0].cancel()
        balancer.give_back(held)  # goes to the second
        waiting[1].cancel()  # which has it, but does not know yet
        await settle()
        assert waiting[2].done()
        return balancer.running

    assert play(work) == 1


def test_without_a_server_requests_wait_for_a_while_and_then_fail_with_the_reason():
    async def work(balancer: Balancer[str]) -> None:
        balancer.add("a", 1)
        balancer.remove("a", "it was killed")
        task = asyncio.create_task(take(balancer, "e"))
        await asyncio.sleep(0.05)
        assert not task.done()
        with pytest.raises(InfrastructureError, match="it was killed"):
            await task
        with pytest.raises(InfrastructureError, match="it was killed"):
            await take(balancer, "another, at once")
        balancer.add("a", 1)
        assert await take(balancer, "e") == "a"

    play(work, recovery_seconds=0.2)


@given(st.data())
def test_whatever_happens_nobody_is_lost_and_no_server_has_too_many(data):
    slots = {"a": 1, "b": 2, "c": 3}

    async def work(balancer: Balancer[str]) -> None:
        serving: set[str] = set()
        held: list[str] = []
        waiting: list[asyncio.Task[str]] = []
        running = dict.fromkeys(slots, 0)
        for number in range(40):
            match data.draw(st.sampled_from(["take", "take", "give back", "cancel", "add", "remove"])):
                case "take":
                    episode, priority = str(number % 7), data.draw(st.integers(-1, 1))
                    waiting.append(asyncio.create_task(take(balancer, episode, priority)))
                case "give back" if held:
                    place = held.pop(data.draw(st.integers(0, len(held) - 1)))
                    running[place] -= 1
                    balancer.give_back(place)
                case "cancel" if waiting:
                    waiting.pop(data.draw(st.integers(0, len(waiting) - 1))).cancel()
                case "add":
                    serving.add(name := data.draw(st.sampled_from(sorted(slots))))
                    balancer.add(name, slots[name])
                case "remove":
                    serving.discard(name := data.draw(st.sampled_from(sorted(slots))))
                    balancer.remove(name, "test")
            await settle()
            for task in [task for task in waiting if task.done()]:
                waiting.remove(task)
                held.append(task.result())
                running[task.result()] += 1
            assert all(running[name] <= slots[name] for name in slots)
            assert balancer.running == len(held) and balancer.waiting == len(waiting)
            assert not waiting or not any(running[name] < slots[name] for name in serving)
        balancer.add("last", 100)
        await settle()
        assert all(task.done() for task in waiting)

    play(work)
