"""The rollout manager: many episodes at once, in groups, with failures dealt with."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import Field, NonNegativeInt, PositiveFloat

from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.envs.base import AgentEnv
from agent_rl.rollout.engines.base import Engine, Sampling
from agent_rl.rollout.episode import Episode, Plan
from agent_rl.rollout.renderer import Renderer

logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


class RolloutSettings(Settings):
    """How episodes are rolled out."""

    limits: Limits = Limits()
    """What one episode may use."""
    retries: NonNegativeInt = 2
    """Fresh attempts at an episode that infrastructure or environment failed."""
    failure_budget: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the episodes of one rollout that may fail for good; above it the run stops and names the culprit."""
    stall_seconds: PositiveFloat = 15.0
    """When no episode has ended for this long, the log names what is being waited for."""


class FailureBudgetError(UserError):
    """More episodes failed than the budget allows."""


class RolloutManager:
    """Runs groups of episodes on an engine. Its event loop lives as long as it does; call `close` at the end."""

    def __init__(
        self, engine: Engine, renderer: Renderer, make_env: Callable[[], AgentEnv], settings: RolloutSettings
    ) -> None:
        """Roll out environments that `make_env` makes, one for each episode."""
        self.engine, self.renderer, self.make_env, self.settings = engine, renderer, make_env, settings
        self._runner = asyncio.Runner()

    def run(
        self,
        tasks: Sequence[Task],
        samples: int,
        sampling: Sampling,
        seed: int,
        progress: Progress | None = None,
    ) -> list[Group]:
        """Roll out every task `samples` times and return the groups in the order of the tasks.

        Args:
            tasks: The tasks; one may appear several times and then has several groups.
            samples: Episodes per task.
            sampling: How tokens are drawn.
            seed: Seeds every episode by its task, place and sample, so that the order of arrival changes nothing.
            progress: Called with the number of finished episodes and of all.

        Raises:
            FailureBudgetError: Too many episodes failed for good; the message names the most frequent cause.
        """
        plans = [
            Plan(f"{place}/{task.id}/{sample}", task, sample, sampling, derive(seed, place, task.id, sample))
            for place, task in enumerate(tasks)
            for sample in range(samples)
        ]
        trajectories = self._runner.run(self._play_all(plans, progress))
        self._check_budget(trajectories)
        cut = [trajectories[i : i + samples] for i in range(0, len(trajectories), samples)]
        return [Group(task.id, group) for task, group in zip(tasks, cut, strict=True)]

    def close(self) -> None:
        """End the event loop."""
        self._runner.close()

    async def _play_all(self, plans: list[Plan], progress: Progress | None) -> list[Trajectory]:
        for plan in plans:
            self.engine.open(plan.name)
        running: dict[str, Episode] = {}
        done = 0

        async def play(plan: Plan) -> Trajectory:
            nonlocal done
            trajectory = await self._play(plan, running)
            done += 1
            if progress:
                progress(done, len(plans))
            return trajectory

        episodes = [asyncio.create_task(play(plan)) for plan in plans]
        watch = asyncio.create_task(_watch(running, lambda: done, self.settings.stall_seconds))
        try:
            return list(await asyncio.gather(*episodes))
        finally:
            for task in [watch, *episodes]:
                if not task.cancelling():  # an interrupt has cancelled them already; twice would break their clean-up
                    task.cancel()
            await asyncio.gather(watch, *episodes, return_exceptions=True)

    async def _play(self, plan: Plan, running: dict[str, Episode]) -> Trajectory:
        """Play one plan, again with a fresh environment when something other than the policy failed."""
        for attempt in range(self.settings.retries + 1):
            if attempt:
                plan = replace(plan, name=f"{plan.name.split('#')[0]}#{attempt}")
                self.engine.open(plan.name)
            episode = Episode(plan, self.make_env(), self.engine, self.renderer, self.settings.limits)
            running[plan.name] = episode
            try:
                trajectory = await episode.play()
            finally:
                del running[plan.name]
            if trajectory.usable:
                break
            logger.warning("episode %s, attempt %d: %s", plan.name, attempt + 1, trajectory.failure)
        return trajectory

    def _check_budget(self, trajectories: list[Trajectory]) -> None:
        failures = [t.failure for t in trajectories if t.failure is not None and not t.usable]
        if len(failures) > self.settings.failure_budget * len(trajectories):
            (source, message), count = Counter((f.source, f.message) for f in failures).most_common(1)[0]
            raise FailureBudgetError(
                f"{len(failures)} of {len(trajectories)} episodes failed {self.settings.retries + 1} times each; "
                f"the most frequent failure ({count} times) is in '{source}': {message}"
            )


async def _watch(running: dict[str, Episode], done: Callable[[], int], seconds: float) -> None:
    """Say what is being waited for whenever no episode has ended for `seconds`."""
    while True:
        before = done()
        await asyncio.sleep(seconds)
        if done() == before and running:
            counts = Counter(episode.waiting_for for episode in running.values()).most_common(3)
            waits = ", ".join(f"{count} for {what}" for what, count in counts)
            logger.warning("no episode has ended for %g s; %d are waiting: %s", seconds, len(running), waits)
