"""The runner: plays plans, again with a fresh environment when something other than the policy failed."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from agent_rl.core.deadlines import Excuse
from agent_rl.core.trajectory import Trajectory
from agent_rl.envs.base import AgentEnv
from agent_rl.rollout.agents import MakeAgent, Plan
from agent_rl.rollout.engines.base import Host
from agent_rl.rollout.episode import Episode
from agent_rl.rollout.settings import PlaySettings


class Runner:
    """Plays plans on one engine and knows which are playing."""

    def __init__(
        self, engine: Host, make_agent: MakeAgent, make_env: Callable[[], AgentEnv], settings: PlaySettings
    ) -> None:
        """Play episodes of `make_agent` and `make_env`; everything happens on one event loop."""
        self.playing: dict[str, Episode] = {}
        self.ended = 0
        self._engine, self._make_agent, self._make_env, self._settings = engine, make_agent, make_env, settings
        self._paused_since: float | None = None
        self._paused = 0.0

    async def pause(self) -> None:
        """Let the engine sample nothing more; the deadlines of what is playing wait."""
        if self._paused_since is None:
            self._paused_since = asyncio.get_running_loop().time()
            await self._engine.pause()

    async def resume(self) -> None:
        """Go on after `pause`."""
        if self._paused_since is not None:
            await self._engine.resume()
            self._paused, self._paused_since = self.paused(), None

    def paused(self) -> float:
        """Return the seconds for which the engine has been paused so far, this pause included."""
        if self._paused_since is None:
            return self._paused
        return self._paused + asyncio.get_running_loop().time() - self._paused_since

    async def play(self, plan: Plan, retried: Counter[tuple[str, str]]) -> list[Trajectory]:
        """Play one plan; the engine has been told of it. The result is failed only if every attempt was.

        Args:
            plan: The plan.
            retried: Counts, by source and message, the failures after which it is tried again.
        """
        counters: dict[str, float] = {}
        name = plan.name
        for attempt in range(self._settings.retries + 1):
            if attempt:
                plan = replace(plan, name=f"{name}#{attempt}")
                if plan.kind != "demonstration":
                    self._engine.open(plan.name, again=True)
            parts = await self._attempt(plan)
            for counter, amount in parts[-1].counters.items():
                counters[counter] = counters.get(counter, 0.0) + amount
            failure = parts[-1].failure
            if parts[-1].usable or failure is None:
                break
            if attempt < self._settings.retries:
                retried[failure.source, failure.message] += 1
        self.ended += 1
        parts[-1].counters = counters
        return parts

    async def _attempt(self, plan: Plan) -> list[Trajectory]:
        excuse = Excuse(self.paused)
        agent = self._make_agent(plan, excuse)
        episode = Episode(plan, self._make_env, agent, self._settings.limits, excuse)
        self.playing[plan.name] = episode
        try:
            return await episode.play()
        finally:
            del self.playing[plan.name]
