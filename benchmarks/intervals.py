"""Whether the statistics of evaluations keep their word: coverage of the intervals, and false alarms of comparisons.

    python -m benchmarks.intervals [--evaluation FILE.jsonl.zst] [--sets N] [--json]

Coverage: how often the 95 % interval of a simulated evaluation holds the truth, by kind of task and number of tasks,
with 4 samples per task. False positives: how many pairs of evaluations of one model with itself are significant at 5 %;
simulated, and drawn from the episodes of a real evaluation, if one with at least 8 samples per task is given: tasks are
drawn with replacement, and of each task's own episodes 4 and 4 others.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from agent_rl.evaluation.statistics import estimates, paired_differences
from agent_rl.rollout.store import read_trajectories

Values = NDArray[np.float64]
Simulation = Callable[[np.random.Generator, tuple[int, int]], tuple[Values, float]]

SAMPLES = 4
_BLOCK = 200  # evaluations whose intervals are computed at once


def successes(a: float, b: float) -> Simulation:
    """Return shares of successes on tasks whose difficulty is beta-distributed, and the true share."""
    return lambda random, shape: (random.binomial(SAMPLES, random.beta(a, b, shape)) / SAMPLES, a / (a + b))


def rewards(sigma: float) -> Simulation:
    """Return mean rewards, exponential around a log-normal mean of each task, and the true mean."""

    def simulate(random: np.random.Generator, shape: tuple[int, int]) -> tuple[Values, float]:
        episodes = random.exponential(1.0, (SAMPLES, *shape)).mean(axis=0)
        return episodes * random.lognormal(0.0, sigma, shape), float(np.exp(sigma**2 / 2))

    return simulate


KINDS: dict[str, tuple[Simulation, bool]] = {
    "success, medium tasks (beta 2, 2)": (successes(2, 2), True),
    "success, easy or hard tasks (beta 0.5, 0.5)": (successes(0.5, 0.5), True),
    "success, hard tasks (beta 1, 4)": (successes(1, 4), True),
    "success, rare (beta 0.2, 4.8)": (successes(0.2, 4.8), True),
    "reward, skewed (log-normal 0.5)": (rewards(0.5), False),
    "reward, very skewed (log-normal 1)": (rewards(1.0), False),
}


def coverage(kind: str, tasks: int, sets: int, seed: int = 0) -> float:
    """Return the share of simulated evaluations whose interval holds the truth."""
    simulate, share = KINDS[kind]
    random, held = np.random.default_rng([seed, tasks, list(KINDS).index(kind)]), 0
    for size in _blocks(sets):
        values, truth = simulate(random, (tasks, size))
        held += sum(found.low <= truth <= found.high for found in estimates(values, [share] * size))
    return held / sets


def simulated_false_positives(difficulties: tuple[float, float], tasks: int, sets: int, seed: int = 0) -> float:
    """Return the share of significant differences between two evaluations of tasks with beta-distributed difficulty."""
    random, significant = np.random.default_rng([seed, tasks, 1]), 0
    for size in _blocks(sets):
        difficulty = random.beta(*difficulties, (tasks, size))
        one, other = (random.binomial(SAMPLES, difficulty) / SAMPLES for _ in range(2))
        significant += sum(found.p < 0.05 for found in paired_differences(other - one, [True] * size))
    return significant / sets


def real_false_positives(episodes: Values, tasks: int, sets: int, seed: int = 0) -> float:
    """Return the same for pairs drawn from the values of real episodes, `[T, N]` with N at least 8."""
    random, significant = np.random.default_rng([seed, tasks, 2]), 0
    for size in _blocks(sets):
        drawn = episodes[random.integers(0, len(episodes), (tasks, size))]
        drawn = random.permuted(drawn, axis=2)
        one, other = (drawn[..., first : first + SAMPLES].mean(axis=2) for first in (0, SAMPLES))
        significant += sum(found.p < 0.05 for found in paired_differences(other - one, [True] * size))
    return significant / sets


def read_successes(path: Path, success_at: float = 1.0) -> Values:
    """Return whether each usable episode of each task succeeded, `[T, N]`, of the tasks that have all of them."""
    tasks: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for trajectory in read_trajectories(path):
        if trajectory.usable:
            tasks[trajectory.task_id][trajectory.sample] += trajectory.reward
    most = max(map(len, tasks.values()))
    if most < 2 * SAMPLES:
        raise SystemExit(f"{path} has {most} episodes a task; at least {2 * SAMPLES} are needed")
    found = np.array([list(task.values()) for task in tasks.values() if len(task) == most])
    return (found >= success_at).astype(np.float64)


def _blocks(sets: int) -> list[int]:
    return [min(_BLOCK, sets - begun) for begun in range(0, sets, _BLOCK)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path, metavar="FILE", help="episodes of a real evaluation")
    parser.add_argument("--sets", type=int, default=4000, help="simulated evaluations, or pairs, per figure")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON object on a line")
    arguments = parser.parse_args()
    shares, alarms = [], []
    for kind in KINDS:
        for tasks in (100, 300):
            shares.append(coverage(kind, tasks, arguments.sets))
            print(f"coverage        {shares[-1]:6.2%}  {tasks} tasks  {kind}", flush=True)
    for difficulties in ((0.5, 0.5), (1.0, 4.0)):
        for tasks in (100, 300):
            alarms.append(simulated_false_positives(difficulties, tasks, arguments.sets))
            print(f"false positives {alarms[-1]:6.2%}  {tasks} tasks  success, beta {difficulties}", flush=True)
    if arguments.evaluation:
        episodes = read_successes(arguments.evaluation)
        alarms = [real_false_positives(episodes, 300, arguments.sets)]
        print(
            f"false positives {alarms[-1]:6.2%}  300 tasks  of {len(episodes)} with {episodes.shape[1]} real episodes"
        )
    if arguments.json:
        figures = {"coverage_low": min(shares), "coverage_high": max(shares), "false_positives": fmean(alarms)}
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
