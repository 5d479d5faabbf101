"""An engine that says what a script tells it, in the time and with the faults it is given, for tests and benchmarks."""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.settings import Settings
from agent_rl.rollout.engines.base import Finish, Generation, Request, Weights

Script = Callable[[Request], list[int]]


class ScriptedSettings(Settings):
    """Settings of a policy that is no model, but plays what environments give as solutions; for evaluation."""

    name: Literal["scripted"] = "scripted"
    """The engine."""


class Fault(StrEnum):
    """What an engine can do wrong."""

    REFUSE = "refuse"  # it raises, as for a lost connection or a server that was killed
    HANG = "hang"  # it never answers
    ABORT = "abort"  # it gives the request back after half of the tokens
    TOO_MANY = "too_many"  # it returns more tokens than were asked for
    UNKNOWN = "unknown"  # it returns a token that is in no vocabulary
    NAN = "nan"  # a log-probability is not a number
    RAGGED = "ragged"  # a log-probability is missing
    EMPTY = "empty"  # it returns no token


@dataclass(eq=False)
class _Turn:
    """A request that is being sampled."""

    tokens: list[int]
    done: asyncio.Future[None]
    versions: list[int] = field(default_factory=list)
    since: float = 0.0
    timer: asyncio.TimerHandle | None = None


class ScriptedEngine:
    """Answers each request with the tokens of a script, at a log-probability of 0.

    It ends a turn by the rules of the real ones: at the first stop token, or after `max_new_tokens`. A pause freezes
    what is being sampled, and each token has the version of the weights at its time.
    """

    def __init__(
        self,
        script: Script,
        token_seconds: float = 0.0,
        slots: int | None = None,
        faults: Callable[[Request], Fault | None] = lambda request: None,
    ) -> None:
        """Be told how to behave.

        Args:
            script: Gives the tokens of each request; it may raise what an engine may raise.
            token_seconds: Time for each token of a request.
            slots: Requests that are sampled at once; others queue by priority, then by arrival. None for all.
            faults: What is to go wrong with a request.
        """
        self.requests: list[Request] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.version = 0
        self._script, self._pace, self._faults = script, token_seconds, faults
        self._running: set[_Turn] = set()
        self.paused = False
        self._free = math.inf if slots is None else slots
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    @property
    def sampling(self) -> int:
        """Requests that are being sampled."""
        return len(self._running)

    async def start(self) -> None:
        """Be ready."""

    async def stop(self) -> None:
        """Have nothing to let go of."""

    def open(self, episode: str, again: bool = False) -> None:
        """Note the episode."""
        self.opened.append(episode)

    def close(self, episode: str) -> None:
        """Note that the episode ended."""
        self.closed.append(episode)

    async def generate(self, request: Request) -> Generation:
        """Return what the script says."""
        self.requests.append(request)
        fault = self._faults(request)
        if fault is Fault.REFUSE:
            raise InfrastructureError("engine", "the connection was lost")
        if fault is Fault.HANG:
            await asyncio.get_running_loop().create_future()
        said = self._cut(request)
        request.excuse.queue()
        await self._slot(request.priority)
        request.excuse.place()
        try:
            versions = await self._sample(said.tokens)
        finally:
            self._release()
        return _tampered(replace(said, weight_versions=versions), request, fault)

    async def pause(self) -> None:
        """Freeze."""
        self._turn_over()
        self.paused = True
        for turn in self._running:
            self._disarm(turn)

    async def resume(self) -> None:
        """Go on."""
        self.paused = False
        for turn in self._running:
            self._arm(turn)

    async def update_weights(self, weights: Weights) -> None:
        """Note the version."""
        self._turn_over()
        self.version = weights.version

    def status(self) -> str:
        """Return how many requests are being sampled and how many wait."""
        return f"{self.sampling} requests in flight, {len(self._queue)} queued"

    def _cut(self, request: Request) -> Generation:
        tokens = self._script(request)[: request.max_new_tokens]
        ends = [place for place, token in enumerate(tokens) if token in request.stop_tokens]
        tokens = tokens[: ends[0] + 1] if ends else tokens
        return Generation(tokens, [0.0] * len(tokens), Finish.STOP if ends else Finish.LENGTH, [])

    async def _slot(self, priority: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._arrivals), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def _sample(self, tokens: list[int]) -> list[int]:
        """Take the time of `tokens` and return the version of the weights at each."""
        if not self._pace:
            return [self.version] * len(tokens)
        turn = _Turn(tokens, asyncio.get_running_loop().create_future())
        self._running.add(turn)
        try:
            if not self.paused:
                self._arm(turn)
            await turn.done
            return turn.versions + [self.version] * (len(tokens) - len(turn.versions))
        finally:
            self._running.discard(turn)
            self._disarm(turn)

    def _arm(self, turn: _Turn) -> None:
        loop = asyncio.get_running_loop()
        turn.since = loop.time()
        left = self._pace * (len(turn.tokens) - len(turn.versions))
        turn.timer = loop.call_later(left, _settle, turn.done)

    def _disarm(self, turn: _Turn) -> None:
        if turn.timer is not None:
            turn.timer.cancel()
            turn.timer = None

    def _turn_over(self) -> None:
        """Give the tokens sampled so far the version of the weights so far."""
        now = asyncio.get_running_loop().time()
        for turn in self._running if not self.paused else ():
            count = min(int((now - turn.since) / self._pace), len(turn.tokens) - len(turn.versions))
            turn.versions += [self.version] * count
            turn.since += count * self._pace


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _tampered(said: Generation, request: Request, fault: Fault | None) -> Generation:
    """Return `said` with what `fault` does to it."""
    tokens, logprobs, versions = said.tokens, said.logprobs, said.weight_versions
    if fault is Fault.TOO_MANY:
        more = request.max_new_tokens + 1 - len(tokens)
        return Generation(tokens + tokens[-1:] * more, logprobs + [0.0] * more, said.finish, versions + [0] * more)
    if fault is Fault.UNKNOWN:
        return replace(said, tokens=[*tokens[:-1], 2**40])
    if fault is Fault.NAN:
        return replace(said, logprobs=[math.nan, *logprobs[1:]])
    if fault is Fault.RAGGED:
        return replace(said, logprobs=logprobs[1:])
    if fault is Fault.EMPTY:
        return Generation([], [], said.finish, [])
    if fault is Fault.ABORT:
        half = len(tokens) // 2
        return Generation(tokens[:half], logprobs[:half], Finish.ABORT, versions[:half])
    return said
