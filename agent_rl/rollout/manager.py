"""The rollout manager: rollouts for plain code, on an event loop in a thread of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from agent_rl.core.task import Task
from agent_rl.core.threads import LoopThread
from agent_rl.core.trajectory import Group
from agent_rl.envs.base import AgentEnv
from agent_rl.rollout.agents import MakeAgent, group_plans
from agent_rl.rollout.engines.base import Host, Sampling, Weights
from agent_rl.rollout.feed import Order, Progress, Rollout
from agent_rl.rollout.flights import Flight, Landed
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import PlaySettings, RolloutSettings

T = TypeVar("T")


class RolloutManager:
    """Runs groups of episodes on an engine. Every method blocks; environments go on between two calls."""

    def __init__(
        self, engine: Host, make_agent: MakeAgent, make_env: Callable[[], AgentEnv], settings: PlaySettings
    ) -> None:
        """Get the engine ready."""
        self._rollouts = Rollouts(engine, make_agent, make_env, settings)
        self._thread = LoopThread()
        try:
            self._thread.run(self._rollouts.start)
        except BaseException:
            self.close()
            raise

    def run(
        self,
        tasks: Sequence[Task],
        samples: int,
        sampling: Sampling,
        seed: int,
        progress: Progress | None = None,
        landed: Landed | None = None,
        kept: Mapping[int, Group] | None = None,
    ) -> list[Group]:
        """Roll out every task `samples` times, wait for all, and return the groups in the order of the tasks.

        Args:
            tasks: The tasks; one may appear several times and then has several groups.
            samples: Episodes per task.
            sampling: How tokens are drawn.
            seed: Seeds every episode by its task, place and sample, so that the order of arrival changes nothing.
            progress: Called with the number of finished episodes and of all.
            landed: Called, on the loop's thread, with each group when its episodes have ended.
            kept: Groups that were played before, by the places of their tasks. They are not played again, and count as
                if they had been; the others have the random streams that they would have had beside them.

        Raises:
            FailureBudgetError: Too many episodes failed for good; the message names the most frequent cause.
        """
        kept = kept or {}
        flights = [
            Flight(place, group_plans(f"run/{place}", task, samples, sampling, seed, place))
            for place, task in enumerate(tasks)
            if place not in kept
        ]
        played = iter(self._thread.run(self._rollouts.play, flights, progress, landed, list(kept.values())))
        return [kept[place] if place in kept else next(played) for place in range(len(tasks))]

    def play(self, flights: Sequence[Flight], progress: Progress | None = None) -> list[Group]:
        """Play groups whose episodes the caller has planned one by one, wait for all, and return them in order.

        Raises:
            FailureBudgetError: Too many episodes failed for good; the message names the most frequent cause.
        """
        return self._thread.run(self._rollouts.play, flights, progress)

    def follow(self, order: Order, settings: RolloutSettings, version: int, state: dict[str, Any]) -> None:
        """Take the order of a training run, from `version` of its weights on; `state` is what `feed_state` returned."""
        self._call(lambda: self._rollouts.follow(order, settings, version, state))

    def next(self, progress: Progress | None = None) -> Rollout:
        """Return the next step's groups of the order that is followed.

        Raises:
            FailureBudgetError: Too many episodes failed for good; the message names the most frequent cause.
        """
        return self._thread.run(self._rollouts.take, progress)

    def unfollow(self) -> None:
        """Be done with the order: end what it has in flight, so that what comes now has the engine to itself."""
        self._thread.run(self._rollouts.unfollow)

    def feed_state(self) -> dict[str, Any]:
        """Return what `follow` needs to go on from here in a resumed run."""
        return self._call(lambda: self._rollouts.feed.state)

    def update_weights(self, weights: Weights) -> None:
        """Let the engine sample with `weights` from now on, in everything that is in flight too."""
        self._thread.run(self._rollouts.update_weights, weights)

    def close(self) -> None:
        """End the episodes in flight, the engine and the loop; harmless the second time."""
        if not self._thread.closed and self._thread.turns():
            self._thread.run(self._rollouts.stop)
        self._thread.close()

    def _call(self, work: Callable[[], T]) -> T:
        """Run `work` on the loop, to which everything belongs that it touches."""

        async def call() -> T:
            return work()

        return self._thread.run(call)
