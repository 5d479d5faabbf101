"""The metrics of a step, from its groups."""

import resource
import sys
from collections import Counter
from collections.abc import Sequence

from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Group
from agent_rl.evaluation.harness import mean, success_by_attribute
from agent_rl.rollout.episode import describe


def rollout_metrics(groups: Sequence[Group], success_at: float) -> dict[str, float]:
    """Return reward, success (also by attribute), lengths, stop reasons and failures of a rollout."""
    every = [trajectory for group in groups for trajectory in group.trajectories]
    usable = [trajectory for trajectory in every if trajectory.usable]
    counts = [describe(trajectory) for trajectory in usable]
    rewards = [[t.reward for t in group.usable] for group in groups]
    metrics = {
        "reward/mean": mean(count["reward"] for count in counts),
        "success/mean": mean(t.reward >= success_at for t in usable),
    }
    for name, values in success_by_attribute(usable, success_at).items():
        metrics |= {f"success/{name}={value}": share for value, share in values.items()}
    components = sorted({name for t in usable for name in t.components})
    metrics |= {f"reward/{name}": mean(t.components.get(name, 0.0) for t in usable) for name in components}
    metrics |= {
        "reward/groups_with_signal": mean(len(set(group)) > 1 for group in rewards),
        "turns/mean": mean(count["turns"] for count in counts),
        "tokens/mean": mean(count["tokens"] for count in counts),
        "tokens/action_mean": mean(count["action_tokens"] for count in counts),
        "tools/calls_mean": mean(count["tool_calls"] for count in counts),
        "tools/invalid_mean": mean(count["invalid_calls"] for count in counts),
    }
    stops = Counter(t.stop for t in every)
    metrics |= {f"stop/{reason}": stops[reason] / max(1, len(every)) for reason in StopReason}
    causes = Counter(t.failure.cause for t in every if t.failure is not None)
    return metrics | {f"failures/{cause}": float(count) for cause, count in causes.items()}


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
