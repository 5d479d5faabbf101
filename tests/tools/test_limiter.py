"""Limits of tools: never exceeded, first come first served, for all processes, and given back by those that die."""

import asyncio
import gc
import heapq
import math
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.core.outcome import InfrastructureError
from agent_rl.tools import ToolPolicy
from agent_rl.tools.limiter import LIMITER, enter, folders, limiter_service
from agent_rl.tools.limiter import server as server_module
from agent_rl.tools.limiter.gate import ARRIVAL, Gate


@pytest.fixture
def limiter(monkeypatch) -> Iterator[str]:
    with limiter_service() as address:
        monkeypatch.setenv(LIMITER, address)
        yield address


def most_within(times: list[float], seconds: float) -> int:
    """Return the most `times` that lie in any half-open stretch of `seconds`."""
    ordered = sorted(times)
    return max(bisect_left(ordered, begun + seconds) - place for place, begun in enumerate(ordered))


class Simulated:
    """Calls at one gate in simulated time: each is asked for, sent with a delay, and ends."""

    def __init__(self, gate: Gate, calls: list[tuple[float, float, float]]) -> None:
        self.order: list[int] = []
        self.seen: list[float] = []
        self.open = self.most = 0
        self._events = [(asked, number, "ask") for number, (asked, _, _) in enumerate(calls)]
        heapq.heapify(self._events)
        again = math.inf
        while self._events or again < math.inf:
            now, number, what = self._events[0] if self._events else (math.inf, -1, "")
            if again < now:
                now = again
            else:
                heapq.heappop(self._events)
                if what == "ask":
                    gate.enter(number, lambda number=number: self.order.append(number))
                else:
                    self.open -= 1
                    gate.leave(number, now)
            before = len(self.order)
            again = gate.advance(now)
            for begun in self.order[before:]:
                _, delay, duration = calls[begun]
                self.seen.append(now + delay)
                self.open += 1
                self.most = max(self.most, self.open)
                heapq.heappush(self._events, (now + delay + duration, begun, "end"))


CALLS = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0, ARRIVAL), st.floats(0, 2)),
    min_size=1,
    max_size=60,
)


@given(calls=CALLS, concurrency=st.none() | st.integers(1, 5), rate=st.integers(1, 7))
def test_no_window_ever_has_more_beginnings_and_no_moment_more_calls_than_allowed(calls, concurrency, rate):
    played = Simulated(Gate(concurrency, [(rate, 1.0)]), calls)
    assert len(played.seen) == len(calls)  # none is lost
    assert most_within(played.seen, 1.0 - 1e-9) <= rate
    assert played.most <= (concurrency or math.inf)
    asked = [calls[number][0] for number in played.order]
    assert all(first <= second for first, second in pairwise(asked))


def test_a_gate_is_as_fast_as_its_rate_allows():
    calls = [(0.0, 0.0, 0.0)] * 100
    played = Simulated(Gate(None, [(10, 1.0)]), calls)
    assert max(played.seen) == pytest.approx(9.0)


def test_a_call_that_does_not_wait_any_more_lets_the_next_one_in():
    gate, entered = Gate(1, []), []
    for number in range(3):
        gate.enter(number, lambda number=number: entered.append(number))
    gate.advance(0.0)
    gate.leave(1, 0.0)
    gate.leave(0, 0.0)
    gate.leave(0, 0.0)
    gate.advance(0.0)
    assert entered == [0, 2]


def test_places_are_given_in_the_order_of_asking_and_a_cancelled_wait_takes_none(limiter):
    async def work() -> list[int]:
        policy, order = ToolPolicy(concurrency=1), []
        first = await enter("t", policy)

        async def take(number: int) -> None:
            place = await enter("t", policy)
            order.append(number)
            place.leave()

        waiting = [asyncio.create_task(take(number)) for number in range(4)]
        await asyncio.sleep(0.05)
        waiting[1].cancel()
        first.leave()
        await asyncio.gather(*waiting, return_exceptions=True)
        return order

    assert asyncio.run(work()) == [0, 2, 3]


def test_without_a_service_the_limits_hold_in_this_process(monkeypatch):
    monkeypatch.delenv(LIMITER, raising=False)

    async def work() -> None:
        await enter("alone", ToolPolicy(concurrency=1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(enter("alone", ToolPolicy(concurrency=1)), 0.1)

    asyncio.run(work())
    asyncio.run(work())  # the first loop's places were given back with its connection


def test_a_loop_that_outlives_a_run_asks_the_next_run_s_limiter(monkeypatch):
    policy = ToolPolicy(concurrency=1)

    async def work() -> None:
        monkeypatch.delenv(LIMITER, raising=False)
        await enter("two", policy)
        with limiter_service() as address:
            monkeypatch.setenv(LIMITER, address)
            await asyncio.wait_for(enter("two", policy), 120)

    asyncio.run(work())


HOLDER = """
import asyncio
from agent_rl.tools import ToolPolicy
from agent_rl.tools.limiter import enter
async def work():
    await enter("t", ToolPolicy(concurrency=1))
    print("holding", flush=True)
    await asyncio.sleep(600)
asyncio.run(work())
"""


def test_a_process_that_is_killed_gives_its_places_back(limiter):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "holding\n"

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(enter("t", ToolPolicy(concurrency=1)), 0.1)
        holder.kill()
        await asyncio.wait_for(enter("t", ToolPolicy(concurrency=1)), 120)

    asyncio.run(work())
    holder.wait()


CROWD = """
import asyncio
from agent_rl.tools import ToolPolicy
from agent_rl.tools.limiter import enter
async def work():
    calls = [asyncio.create_task(enter("t", ToolPolicy(concurrency=1, per_minute=5))) for _ in range(50)]
    await calls[0]
    print("holding", flush=True)
    await asyncio.sleep(600)
asyncio.run(work())
"""


def test_what_a_process_waits_for_that_is_killed_uses_up_no_rate(limiter):
    policy = ToolPolicy(concurrency=1, per_minute=5)
    holder = subprocess.Popen([sys.executable, "-c", CROWD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "holding\n"

    async def work() -> None:
        waiting = asyncio.create_task(enter("t", policy))
        await asyncio.sleep(0.2)
        holder.kill()
        await asyncio.wait_for(waiting, 120)

    asyncio.run(work())
    holder.wait()


def test_event_loops_that_have_ended_are_let_go(limiter):
    async def work() -> "weakref.ref[asyncio.AbstractEventLoop]":
        (await enter("t", ToolPolicy(concurrency=1))).leave()
        return weakref.ref(asyncio.get_running_loop())

    gc.freeze()  # what other tests have left need not be looked at
    try:
        loops = [asyncio.run(work()) for _ in range(3)]
        gc.collect()
    finally:
        gc.unfreeze()
    assert [loop() for loop in loops] == [None] * 3


def test_over_tcp_only_who_knows_the_token_is_served(monkeypatch):
    with limiter_service("127.0.0.1") as address:
        monkeypatch.setenv(LIMITER, address)
        asyncio.run(enter("t", ToolPolicy(concurrency=1)))
        monkeypatch.setenv(LIMITER, address[:-1] + ("0" if address[-1] != "0" else "1"))
        with pytest.raises(InfrastructureError, match="limiter"):
            asyncio.run(enter("t", ToolPolicy(concurrency=1)))


def test_over_tcp_who_shows_no_token_is_sent_away_after_a_while(monkeypatch):
    monkeypatch.setattr(server_module, "_TOKEN_SECONDS", 0.1)
    with (
        limiter_service("127.0.0.1") as address,
        socket.create_connection(("127.0.0.1", int(address.split(":")[2]))) as silent,
    ):
        silent.settimeout(30)
        assert silent.recv(1) == b""


KILLED = """
import os, signal, socket, sys
from pathlib import Path
from agent_rl.tools.limiter import folders

folders._PLACE = Path(sys.argv[1])
with folders.socket_folder() as folder:
    socket.socket(socket.AF_UNIX).bind(str(folder / folders.SOCKET))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_PLACE", tmp_path)
    with folders.socket_folder() as living:
        socket.socket(socket.AF_UNIX).bind(str(living / folders.SOCKET))
        for name in ("agent_rl_limiter_notes", "agent_rl_others", "elsewhere"):
            (tmp_path / name).mkdir()
        (tmp_path / "agent_rl_limiter_notes" / folders.SOCKET).write_text("no socket")
        for name in ("agent_rl_others", "elsewhere"):
            socket.socket(socket.AF_UNIX).bind(str(tmp_path / name / folders.SOCKET))
        (tmp_path / "agent_rl_limiter_link").symlink_to(tmp_path / "elsewhere")
        before = set(tmp_path.glob("*/*"))
        assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == -9
        assert len(set(tmp_path.glob("*/*")) - before) == 1
        with folders.socket_folder() as new:
            assert set(tmp_path.glob("*/*")) == before
    assert not living.exists() and not new.exists()


def test_a_limiter_that_is_not_there_is_an_infrastructure_failure(monkeypatch, tmp_path):
    monkeypatch.setenv(LIMITER, f"unix:{tmp_path}/none")
    with pytest.raises(InfrastructureError, match=r"limiter: .*No such file"):
        asyncio.run(enter("t", ToolPolicy(concurrency=1)))


class Seen:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.times: list[float] = []
        self.paths: list[str] = []
        self.open = self.most = 0


@contextmanager
def server(seen: Seen) -> Iterator[str]:
    """Serve answers that take 20 to 100 ms, and note by the server's own clock when they began and how many at once."""
    random = Random(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with seen.lock:
                seen.times.append(time.monotonic())
                seen.paths.append(self.path)
                seen.open += 1
                seen.most = max(seen.most, seen.open)
                seconds = random.uniform(0.02, 0.1)
            time.sleep(seconds)
            with seen.lock:
                seen.open -= 1
            body = f"answer {self.path[1:]}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()


@pytest.mark.slow
def test_two_processes_with_500_episodes_never_exceed_a_tool_s_limits_and_lose_none(limiter):
    seen = Seen()
    with server(seen) as url:
        command = [sys.executable, "-m", "tests.tools.limited_episodes", url]
        root = Path(__file__).parents[2]
        processes = [
            subprocess.Popen([*command, str(first), "250"], stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ)
            for first in (0, 250)
        ]
        lines = [line.strip() for process in processes for line in process.communicate(timeout=600)[0].splitlines()]
    assert lines == [f"{number} answer {number}" for number in range(500)]
    assert sorted(seen.paths) == sorted(f"/{number}" for number in range(500))
    assert seen.most <= 4
    assert most_within(seen.times, 1.0) <= 50
