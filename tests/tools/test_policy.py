"""The policy of a tool: attempts, places, caches, cuts; and what is counted of it in an episode."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from agent_rl import ToolEnv, ToolPolicy, tool
from agent_rl.core.context import EpisodeContext
from agent_rl.core.context import enter as enter_episode
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import BrokenEnvironmentError, Cause, InfrastructureError
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.envs.registration import environment
from agent_rl.tools import Tool
from agent_rl.tools.answers import cache
from agent_rl.tools.limiter import waiting
from agent_rl.tools.limiter.gate import Gate
from tests.tools.talkers import answers, play, run

QUICK = {"backoff": 1e-3}


@pytest.fixture(autouse=True)
def fresh_caches():
    cache.cache_clear()


def ask(asked: Tool, *several: dict[str, Any]) -> list[str]:
    """Call a tool several times at once."""

    async def together() -> list[str]:
        calls = [asked.call(tool_call(asked.name, arguments)) for arguments in several]
        return [message["content"] for message in await asyncio.gather(*calls)]

    return asyncio.run(together())


def failing(times: int, error: Exception, **policy: Any) -> tuple[Tool, list[int]]:
    tried: list[int] = []

    @tool(policy=ToolPolicy(**QUICK, **policy))
    async def flaky(a: int = 0) -> str:
        tried.append(a)
        if len(tried) <= times:
            raise error
        return f"{a} after {len(tried)}"

    return flaky, tried


TRANSIENT = [
    InfrastructureError("far", "away"),
    TimeoutError("slow"),
    ConnectionResetError("gone"),
    httpx.ReadError("x"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_what_another_attempt_may_mend_is_tried_again(error):
    flaky, tried = failing(2, error, retries=2)
    assert ask(flaky, {"a": 1}) == ["1 after 3"]
    flaky, tried = failing(9, error, retries=2)
    with pytest.raises(InfrastructureError):
        ask(flaky, {})
    assert len(tried) == 3


def test_other_errors_are_tried_again_only_where_the_policy_names_them():
    flaky, tried = failing(1, KeyError("shelf"), retries=3)
    with pytest.raises(BrokenEnvironmentError, match="flaky: KeyError: 'shelf'"):
        ask(flaky, {})
    assert len(tried) == 1
    flaky, tried = failing(1, KeyError("shelf"), retries=3, retry_on=(LookupError,))
    assert ask(flaky, {}) == ["0 after 2"]


def test_pauses_between_attempts_double_and_are_spread_the_same_way_for_the_same_seed():
    policy = ToolPolicy(backoff=1.0)
    assert [policy.pause(attempt, 7) for attempt in range(9)] == [policy.pause(attempt, 7) for attempt in range(9)]
    for attempt, middle in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]):
        assert {0.5 * middle <= policy.pause(attempt, seed) <= 1.5 * middle for seed in range(20)} == {True}
    assert len({policy.pause(0, seed) for seed in range(20)}) == 20


@pytest.fixture
def simulated(monkeypatch) -> Callable[..., list[Any]]:
    """Run episodes in simulated time. Places come from gates of the loop itself: the limiter answers in real time."""
    gates: dict[str, Gate] = {}

    async def enter(key: str, policy: ToolPolicy) -> SimpleNamespace:
        gate, call = gates.setdefault(key, Gate(policy.concurrency, policy.rates)), object()
        loop = asyncio.get_running_loop()
        entered = loop.create_future()

        def leave() -> None:
            gate.leave(call, loop.time())
            gate.advance(loop.time())

        gate.enter(call, lambda: entered.set_result(None))
        gate.advance(loop.time())
        try:
            await entered
        except asyncio.CancelledError:
            leave()
            raise
        return SimpleNamespace(leave=leave)

    def run(*work: Any) -> list[Any]:
        async def together() -> list[Any]:
            return await asyncio.gather(*work)

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(together())

    monkeypatch.setattr(waiting, "enter", enter)
    return run


class Busy(ToolEnv):
    """Tools of every kind of policy."""

    @tool(policy=ToolPolicy(concurrency=1, timeout=5.0))
    async def slow(self) -> str:
        await asyncio.sleep(0.1)
        return "a b c d e"

    @tool(policy=ToolPolicy(concurrency=1, queue_seconds=0.05))
    async def stuck(self) -> str:
        await asyncio.sleep(5.0)
        return ""

    @tool(policy=ToolPolicy(timeout=0.5, retries=2, backoff=1e-3))
    async def late(self) -> str:
        self.tried = getattr(self, "tried", 0) + 1
        await asyncio.sleep(5.0 if self.tried < 3 else 0.0)
        return "at last"

    @tool(policy=ToolPolicy(max_tokens=3, cache="memory"))
    def long(self, words: int) -> str:
        return " ".join(["word"] * words)


def one(name: str, **arguments: Any) -> Any:
    return assistant("", [tool_call(name, arguments)])


def test_the_wait_for_a_place_counts_for_no_deadline_and_is_counted(simulated):
    played = simulated(*(play(Busy, one("slow"), name=f"e/{number}", tool_seconds=1.0) for number in range(12)))
    assert [episode.failure for episode in played] == [None] * 12
    waits = sorted(episode.counters["seconds/tools/slow/wait"] for episode in played)
    assert waits == pytest.approx([0.1 * number for number in range(12)])  # longer than the step's deadline


def test_the_wait_for_a_place_has_an_end_and_names_the_tool(simulated):
    played = simulated(*(play(Busy, one("stuck"), name=f"e/{number}", tool_seconds=1.0) for number in range(2)))
    failures = sorted(str(episode.failure.message) for episode in played if episode.failure)
    assert failures == ["no place was free within 0.05 s", "waited 1 s for its step"]
    assert {episode.failure.cause for episode in played if episode.failure} == {Cause.INFRASTRUCTURE}


def test_attempts_that_were_lost_count_for_no_deadline(simulated):
    (played,) = simulated(play(Busy, one("late"), tool_seconds=0.9))
    assert answers(played) == ["at last"]
    assert played.counters["tools/late/timeouts"] == played.counters["tools/late/retries"] == 2


def test_what_a_policy_does_is_counted_in_the_episode():
    (played,) = run(play(Busy, one("long", words=3), one("long", words=5), one("long", words=5), one("long", word=1)))
    assert answers(played)[:3] == ["word word word", *["word word word  [cut: 9 more characters]"] * 2]
    counted = {name: amount for name, amount in played.counters.items() if not name.startswith("seconds/")}
    assert counted == {"tools/long/calls": 4, "tools/long/cached": 1, "tools/long/cut": 2, "tools/long/errors": 1}


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_equal_calls_are_made_once_even_at_the_same_time(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("AGENT_RL_CACHE", str(tmp_path))
    flaky, tried = failing(0, KeyError(), cache=kind)
    assert ask(flaky, {"a": 1}, {"a": 1}, {}, {"a": 0}) == ["1 after 1", "1 after 1", "0 after 2", "0 after 2"]
    assert tried == [1, 0]
    cache.cache_clear()  # another process
    ask(flaky, {"a": 1})
    assert len(tried) == (2 if kind == "disk" else 3)


def test_an_answer_that_cannot_be_kept_is_an_answer_all_the_same(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("AGENT_RL_CACHE", str(tmp_path / "file"))
    cache.cache_clear()
    flaky, _ = failing(0, KeyError(), cache="disk")
    assert ask(flaky, {"a": 1}) == ["1 after 1"]
    assert "an answer of flaky is not kept: cannot write" in caplog.text
    cache.cache_clear()


def test_what_fails_is_not_cached_and_who_waited_for_it_asks_anew():
    flaky, tried = failing(1, KeyError(), cache="memory", retries=0)

    async def together() -> list[Any]:
        calls = [flaky.call(tool_call("flaky", {})) for _ in range(3)]
        return await asyncio.gather(*calls, return_exceptions=True)

    first, *others = asyncio.run(together())
    assert isinstance(first, BrokenEnvironmentError)
    assert [message["content"] for message in others] == ["0 after 2"] * 2
    assert len(tried) == 2


def test_a_plain_function_that_overran_its_time_out_holds_its_place_until_it_ends():
    release, entered = threading.Event(), []

    @tool(policy=ToolPolicy(timeout=0.3, concurrency=1, queue_seconds=0.5))
    def held() -> str:
        entered.append(1)
        release.wait(10)
        return "out"

    async def work() -> None:
        for failure in ("no answer within 0.3 s", "no place was free within 0.5 s"):
            with pytest.raises(InfrastructureError, match=failure):
                await held.call(tool_call("held", {}))
        release.set()
        await held.call(tool_call("held", {}))

    asyncio.run(work())
    assert len(entered) == 2


def test_tokens_are_counted_as_the_policy_reads_them():
    @tool(policy=ToolPolicy(max_tokens=4))
    def spell() -> str:
        return "abcdefgh"

    async def work() -> str:
        enter_episode(EpisodeContext(count_tokens=len))
        return (await spell.call(tool_call("spell", {})))["content"]

    assert asyncio.run(work()) == "abcd [cut: 4 more characters]"


def test_a_place_that_comes_as_the_call_is_given_up_is_given_back(monkeypatch):
    entered = waiting.enter

    @tool(policy=ToolPolicy(concurrency=1, queue_seconds=5))
    async def single() -> str:
        return "in"

    async def work() -> str:
        async def just_then(key: str, policy: ToolPolicy) -> waiting.Place:
            place = await entered(key, policy)
            given_up.cancel()
            return place

        monkeypatch.setattr(waiting, "enter", just_then)
        given_up = asyncio.create_task(single.call(tool_call("single", {})))
        await asyncio.wait([given_up])
        assert given_up.cancelled()
        monkeypatch.setattr(waiting, "enter", entered)
        return (await single.call(tool_call("single", {})))["content"]

    assert asyncio.run(work()) == "in"


BOOK = """
from agent_rl import ToolEnv, ToolPolicy, tool
class Book(ToolEnv):
    @tool(policy=ToolPolicy(cache="disk"))
    def read(self) -> str:
        return "{name}"
"""


def test_tools_of_two_files_of_one_name_do_not_share_their_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENT_RL_CACHE", str(tmp_path))

    def read(name: str) -> list[str]:
        file = tmp_path / name / "book.py"
        file.parent.mkdir()
        file.write_text(BOOK.format(name=name))
        (played,) = run(play(environment(f"{file}:Book"), assistant("", [tool_call("read", {})])))
        return answers(played)

    assert [read("one"), read("two")] == [["one"], ["two"]]


def test_no_deadline_counts_the_wait_for_an_equal_call_that_waits_for_a_place(simulated):
    class Slow(ToolEnv):
        @tool(policy=ToolPolicy(concurrency=1, cache="memory"))
        async def look(self) -> str:
            return "seen"

    async def hold() -> None:
        place = await waiting.enter("look", Slow.look.policy)
        await asyncio.sleep(0.6)
        place.leave()

    looks = assistant("", [tool_call("look", {})])
    _, *played = simulated(hold(), *(play(Slow, looks, name=f"e/{number}", tool_seconds=0.2) for number in range(2)))
    assert [answers(episode) for episode in played] == [["seen"]] * 2
