"""Measuring a model on a split: the same code before, during and after training, and for `agent-rl eval`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.envs.base import AgentEnv
from agent_rl.evaluation.settings import Measure
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.episode import describe
from agent_rl.rollout.feed import Progress
from agent_rl.rollout.manager import RolloutManager

SAMPLINGS = {"greedy": Sampling(temperature=0.0), "sampled": Sampling(temperature=1.0)}


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and the trajectories it was measured on.

    Attributes:
        success: Share of the usable episodes whose reward reached `success_at`; 0 when there are none.
        by_attribute: The same for each value of each task attribute with at most 12 values, `{"hops": {"1": 0.9, …}}`.
        means: Means over usable episodes: reward, turns, tokens, tool calls …
        episodes: Usable episodes.
        failed: Episodes that something other than the policy failed; they are in no figure.
        trajectories: All of them.
    """

    success: float
    by_attribute: dict[str, dict[str, float]]
    means: dict[str, float]
    episodes: int
    failed: int
    trajectories: list[Trajectory]

    def to_json(self) -> dict[str, Any]:
        """Return the figures, without the trajectories."""
        return {
            "success": self.success,
            "by_attribute": self.by_attribute,
            "means": self.means,
            "episodes": self.episodes,
            "failed": self.failed,
        }


def evaluate(
    manager: RolloutManager,
    env: AgentEnv,
    settings: Measure,
    mode: str,
    seed: int,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure the manager's engine on the first `settings.tasks` tasks of a split.

    The random streams hang on `seed` and the task alone, so an evaluation in the middle of training moves nothing else.
    """
    tasks = list(islice(env.task_set(settings.split), settings.tasks))
    stream = derive(seed, "evaluation", settings.split, mode)
    groups = manager.run(tasks, settings.samples, SAMPLINGS[mode], stream, progress)
    return summarize(groups, settings.success_at)


def summarize(groups: Sequence[Group], success_at: float) -> Evaluation:
    """Return the figures of finished episodes."""
    usable = [episode for group in groups for episode in group.usable]
    counts = [describe(episode) for episode in usable]
    means = {name: mean(count[name] for count in counts) for name in (counts[0] if counts else {})}
    return Evaluation(
        success=mean(count["reward"] >= success_at for count in counts),
        by_attribute=success_by_attribute(usable, success_at),
        means=means,
        episodes=len(usable),
        failed=sum(len(group.episodes) for group in groups) - len(usable),
        trajectories=[trajectory for group in groups for trajectory in group.trajectories],
    )


def success_by_attribute(episodes: Sequence[Sequence[Trajectory]], success_at: float) -> dict[str, dict[str, float]]:
    """Return the success of each value of each attribute that has at most 12 values."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for episode in episodes:
        for name, value in episode[0].attributes.items():
            found[name][str(value)].append(sum(part.reward for part in episode) >= success_at)
    return {
        name: {value: mean(wins) for value, wins in sorted(values.items())}
        for name, values in found.items()
        if len(values) <= 12
    }


def mean(values: Iterable[float]) -> float:
    """Return the mean, 0 for nothing."""
    numbers = [float(value) for value in values]
    return sum(numbers) / len(numbers) if numbers else 0.0
