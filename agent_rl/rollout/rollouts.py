"""Rollouts on an event loop: all of a list of tasks, or step by step for a training run."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from agent_rl.core import scopes
from agent_rl.core.garbage import rarer_collections
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.trajectory import Group
from agent_rl.envs.base import AgentEnv
from agent_rl.rollout.agents import MakeAgent
from agent_rl.rollout.engines.base import Host, Weights
from agent_rl.rollout.failures import Culprits, EngineFailedError, settle
from agent_rl.rollout.feed import Feed, Order, Progress, Rollout
from agent_rl.rollout.flights import Flight, Flights, Landed
from agent_rl.rollout.runner import Runner
from agent_rl.rollout.settings import PlaySettings, RolloutSettings
from agent_rl.rollout.watchdog import watch


class Rollouts:
    """Plays episodes on an engine. Between two calls the engine is paused, but for a run of mode `async`."""

    def __init__(
        self, engine: Host, make_agent: MakeAgent, make_env: Callable[[], AgentEnv], settings: PlaySettings
    ) -> None:
        """Begin nothing yet."""
        self._engine, self._settings = engine, settings
        self._runner = Runner(engine, make_agent, make_env, settings)
        self._feed: Feed | None = None
        self._overlapping = False

    async def start(self) -> None:
        """Get the engine ready.

        Raises:
            EngineFailedError: It cannot be used.
        """
        with _engine_failing():
            await self._engine.start()
            await self._runner.pause()

    async def stop(self) -> None:
        """End the episodes in flight and the engine."""
        try:
            if self._feed is not None:
                await self._feed.close()
        finally:
            await scopes.settle()
            await self._engine.stop()

    async def play(
        self,
        flights: Sequence[Flight],
        progress: Progress | None = None,
        landed: Landed | None = None,
        kept: Sequence[Group] = (),
    ) -> list[Group]:
        """Play the groups of `flights`, wait for all and return them in order.

        Args:
            flights: The groups.
            progress: Called with the number of finished episodes and of all.
            landed: Called with each group when its episodes have ended, in the order in which they do.
            kept: Groups that were played before and count in the budget of failures as well.

        Raises:
            UserError: An agent cannot speak until somebody mends something; what is in flight is ended at once.
            FailureBudgetError: Too many episodes failed for good; the message names the most frequent cause.
        """
        total = sum(len(flight.plans) for flight in flights)
        seen, changed = 0, asyncio.Event()
        aloft = Flights(self._runner, self._engine, self._settings.concurrency, changed.set)
        async with self._generating():
            try:
                aloft.launch(flights)
                while aloft.ended < total:
                    await changed.wait()
                    changed.clear()
                    _tell(aloft, landed)
                    aloft.check()
                    while progress and seen < aloft.ended:
                        seen += 1
                        progress(seen, total)
            finally:
                await aloft.drop()
        groups = [flight.whole for flight in flights]
        self._settle([*kept, *groups], aloft.take_retried())
        return groups

    def follow(self, order: Order, settings: RolloutSettings, version: int, state: dict[str, Any]) -> None:
        """Take the order of a training run, from `version` of its weights on, where `state` says that it stood."""
        self._feed = Feed(order, self._runner, self._engine, settings)
        self._feed.restore(version, state)
        self._overlapping = settings.mode == "async"

    @property
    def feed(self) -> Feed:
        """The feed of the training run that is followed."""
        if self._feed is None:
            raise ValueError("nothing has been ordered; call follow first")
        return self._feed

    async def take(self, progress: Progress | None = None) -> Rollout:
        """Return the next step's groups.

        Raises:
            FailureBudgetError: Too many episodes failed for good; the message names the most frequent cause.
        """
        async with self._generating():
            rollout = await self.feed.take(progress)
        self._settle([*rollout.groups, *rollout.dropped], rollout.retried)
        return rollout

    async def unfollow(self) -> None:
        """Be done with the training run that is followed: what it has in flight ends, and the engine rests."""
        await self.feed.close()
        self._feed, self._overlapping = None, False
        await self._runner.pause()

    async def update_weights(self, weights: Weights) -> None:
        """Let the engine sample with `weights` from now on, in everything that is in flight too.

        Raises:
            EngineFailedError: It did not take them.
        """
        with _engine_failing():
            await self._engine.update_weights(weights)
        if self._feed is not None:
            self._feed.renew(weights.version)

    @asynccontextmanager
    async def _generating(self) -> AsyncIterator[None]:
        """Let the engine sample while the block runs, and the watchdog watch."""
        watching = asyncio.create_task(watch(self._runner, self._engine, self._settings.stall_seconds))
        try:
            await self._runner.resume()
            with rarer_collections():
                yield
        finally:
            watching.cancel()
            if not self._overlapping:
                await self._runner.pause()

    def _settle(self, groups: list[Group], retried: Culprits) -> None:
        settle(groups, retried, self._settings.retries + 1, self._settings.failure_budget)


def _tell(flights: Flights, landed: Landed | None) -> None:
    """Hand over the groups that have landed."""
    arrived, flights.landed = flights.landed, []
    for flight in arrived:
        if landed is not None:
            landed(flight.whole)


@contextmanager
def _engine_failing() -> Iterator[None]:
    """Let what fails for the engine as a whole end the run with one line."""
    try:
        yield
    except InfrastructureError as error:
        raise EngineFailedError(f"the engine failed: {error}") from error
