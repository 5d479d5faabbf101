"""The metrics of a step, from its groups."""

import resource
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.evaluation.results import VALUES
from agent_rl.rollout.episode import describe
from agent_rl.rollout.feed import Rollout


def rollout_metrics(rollout: Rollout, version: int, success_at: float) -> dict[str, float]:
    """Return reward, success (also by attribute), lengths, stop reasons, failures and staleness of a rollout.

    Groups that taught nothing and were replaced are among them: the figures say how good the policy is. What is a mean
    over usable episodes is absent when there were none, so that an outage does not look like a reward of 0.
    """
    groups = [*rollout.groups, *rollout.dropped]
    every = [episode for group in groups for episode in group.episodes]
    usable = [episode for group in groups for episode in group.usable]
    counts = [describe(episode) for episode in usable]
    metrics = _means(counts, success_at) if usable else {}
    for name, values in success_by_attribute(usable, success_at).items():
        metrics |= {f"success/{name}={value}": share for value, share in values.items()}
    metrics |= _reward_by_environment(usable)
    components = sorted({name for episode in usable for part in episode for name in part.components})
    metrics |= {
        f"reward/{name}": mean(sum(part.components.get(name, 0.0) for part in episode) for episode in usable)
        for name in components
    }
    metrics |= _counters(every)
    metrics["reward/groups_with_signal"] = mean(group.informative for group in groups)
    stops = Counter(episode[-1].stop for episode in every)
    metrics |= {
        f"stop/{reason}": stops[reason] / max(1, len(every))
        for reason in StopReason
        if reason is not StopReason.REWRITTEN
    }
    metrics |= _staleness(rollout, version)
    metrics |= _baselines(groups, success_at) | _demonstrations(groups)
    if rollout.dropped:
        metrics["rollout/dropped_groups"] = float(len(rollout.dropped))
    causes = Counter(episode[-1].failure.cause for episode in every if episode[-1].failure is not None)
    return metrics | {f"failures/{cause}": float(count) for cause, count in causes.items()}


def _means(counts: list[dict[str, Any]], success_at: float) -> dict[str, float]:
    return {
        "reward/mean": mean(count["reward"] for count in counts),
        "success/mean": mean(count["reward"] >= success_at for count in counts),
        "turns/mean": mean(count["turns"] for count in counts),
        "tokens/mean": mean(count["tokens"] for count in counts),
        "tokens/action_mean": mean(count["action_tokens"] for count in counts),
        "tools/calls_mean": mean(count["tool_calls"] for count in counts),
        "tools/invalid_mean": mean(count["invalid_calls"] for count in counts),
    }


def _baselines(groups: list[Group], success_at: float) -> dict[str, float]:
    """Return how good greedy episodes are that others are compared with; nothing where none were asked for."""
    asked = [group.baseline_reward for group in groups if group.baseline]
    known = [reward for reward in asked if reward is not None]
    if not asked:
        return {}
    metrics = {"baseline/failed": float(len(asked) - len(known))}
    if known:
        metrics |= {"baseline/reward": mean(known), "baseline/success": mean(r >= success_at for r in known)}
    return metrics


def _demonstrations(groups: list[Group]) -> dict[str, float]:
    """Return what the environment's own solutions earn; nothing where none were asked for."""
    asked = [group.demonstration for group in groups if group.demonstration]
    known = [episode for episode in asked if all(part.usable for part in episode)]
    if not asked:
        return {}
    metrics = {"demonstration/failed": float(len(asked) - len(known))}
    if known:
        metrics["demonstration/reward"] = mean(sum(part.reward for part in episode) for episode in known)
    return metrics


def _reward_by_environment(episodes: list[list[Trajectory]]) -> dict[str, float]:
    """Return the mean reward of each member of a mixture; nothing where there is no mixture."""
    found: dict[str, list[float]] = defaultdict(list)
    for episode in episodes:
        if "env" in episode[0].attributes:
            found[str(episode[0].attributes["env"])].append(sum(part.reward for part in episode))
    return {f"reward/env={label}": mean(rewards) for label, rewards in sorted(found.items())}


def _counters(episodes: list[list[Trajectory]]) -> dict[str, float]:
    """Return the mean over all episodes, failed ones too, of everything that any of them counted."""
    totals = [{name: amount for part in episode for name, amount in part.counters.items()} for episode in episodes]
    names = sorted({name for total in totals for name in total})
    return {name: mean(total.get(name, 0.0) for total in totals) for name in names}


def _staleness(rollout: Rollout, version: int) -> dict[str, float]:
    """Return how many versions older than `version` the weights were that sampled a token; nothing when none were."""
    ages = [
        version - sampled
        for group in rollout.groups
        for trajectory in group.trajectories
        for segment in trajectory.segments
        for sampled in segment.weight_versions
    ]
    return {"rollout/staleness_mean": mean(ages), "rollout/staleness_max": float(max(ages))} if any(ages) else {}


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def success_by_attribute(episodes: Sequence[Sequence[Trajectory]], success_at: float) -> dict[str, dict[str, float]]:
    """Return the success of each value of each attribute that has at most `VALUES` values."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for episode in episodes:
        for name, value in episode[0].attributes.items():
            found[name][str(value)].append(sum(part.reward for part in episode) >= success_at)
    return {
        name: {value: mean(wins) for value, wins in sorted(values.items())}
        for name, values in found.items()
        if len(values) <= VALUES
    }


def mean(values: Iterable[float]) -> float:
    """Return the mean, 0 for nothing."""
    numbers = [float(value) for value in values]
    return sum(numbers) / len(numbers) if numbers else 0.0
