"""Figures of an evaluation with their uncertainty. The unit is the task: its episodes share what makes it hard.

Intervals come from the cluster bootstrap (Efron 1979, doi:10.1214/aos/1176344552; clusters: Field and Welsh 2007,
doi:10.1111/j.1467-9868.2007.00593.x): tasks are drawn again with replacement, each with all its episodes. They
are 95 % percentile intervals, with one fixed seed, so that the same values have the same interval.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95

_CELLS = 1 << 20  # drawn tasks that are held at once
_TAIL = (1 - LEVEL) / 2


@dataclass(frozen=True)
class Estimate:
    """A mean over tasks with its 95 % interval; all three are nan where no task has a value.

    Attributes:
        mean: The mean over the tasks that have a value.
        low: Lower end of the interval.
        high: Upper end of the interval.
        tasks: How many tasks have a value.
    """

    mean: float
    low: float
    high: float
    tasks: int


@dataclass(frozen=True)
class Paired:
    """A mean difference over tasks, with its 95 % interval and the p-value that there is none.

    Attributes:
        difference: The mean over the tasks that both sides have.
        low: Lower end of the interval.
        high: Upper end of the interval.
        p: Two-sided p-value.
        tasks: How many tasks have a difference.
    """

    difference: float
    low: float
    high: float
    p: float
    tasks: int


def pass_at_k(n: int, successes: int, k: int) -> float:
    """Return the unbiased estimate of the probability that at least one of `k` samples succeeds.

    It is 1 - C(n - successes, k) / C(n, k) (Chen et al. 2021, arXiv:2107.03374), computed in whole numbers.

    Raises:
        ValueError: There are not `k` samples, or more successes than samples.
    """
    _check(n, successes, k)
    every = math.comb(n, k)
    return (every - math.comb(n - successes, k)) / every


def pass_hat_k(n: int, successes: int, k: int) -> float:
    """Return the unbiased estimate of the probability that all of `k` samples succeed.

    It is C(successes, k) / C(n, k) (pass^k of Yao et al. 2024, arXiv:2406.12045), computed in whole numbers.

    Raises:
        ValueError: There are not `k` samples, or more successes than samples.
    """
    _check(n, successes, k)
    return math.comb(successes, k) / math.comb(n, k)


def estimate(values: Sequence[float], seed: int = 0, share: bool = False) -> Estimate:
    """Return the mean of one value per task, nan where a task has none, with its interval; see `estimates`."""
    return estimates(np.reshape(np.asarray(values, dtype=np.float64), (-1, 1)), [share], seed)[0]


def estimates(matrix: ArrayLike, shares: Sequence[bool], seed: int = 0) -> list[Estimate]:
    """Return the mean of each metric with its interval, all from the same resamples of the tasks.

    Args:
        matrix: A row per task and a column per metric, `[T, M]`; nan where a task has no value.
        shares: Which metrics are shares, `[M]`. Where every task of one has 0, or every task 1, the bootstrap would
            claim certainty: the interval is the exact binomial one then (Clopper and Pearson 1934,
            doi:10.1093/biomet/26.4.404), with the tasks as trials.
        seed: Seeds the resamples.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(shares):
        raise ValueError(f"a matrix of shape {values.shape} does not have a column for each of {len(shares)} metrics")
    means = resampled_means(values, seed)
    found = []
    for column, share in enumerate(shares):
        known = values[~np.isnan(values[:, column]), column]
        if not known.size:
            found.append(Estimate(math.nan, math.nan, math.nan, 0))
        elif np.all(known == known[0]):
            found.append(_unvaried(float(known[0]), known.size, share))
        else:
            low, high = _percentiles(means[:, column])
            found.append(Estimate(float(known.mean()), low, high, known.size))
    return found


def paired(differences: Sequence[float], seed: int = 0, share: bool = False) -> Paired:
    """Return the mean of one difference per task with its interval and p-value; see `paired_differences`."""
    return paired_differences(np.reshape(np.asarray(differences, dtype=np.float64), (-1, 1)), [share], seed)[0]


def paired_differences(matrix: ArrayLike, shares: Sequence[bool], seed: int = 0) -> list[Paired]:
    """Compare two evaluations of the same tasks by the paired bootstrap, which draws tasks with both their values.

    The p-value is twice the share of resamples on the rarer side of 0 (Efron and Tibshirani 1993, chapter 15), so
    that it is below 0.05 where the interval leaves 0 out. It is never below what a sign-flip test could reach with as
    many tasks that differ: without that, three tasks that happen to agree would be taken for certainty.

    Args:
        matrix: The difference of each task in each metric, `[T, M]`; nan where a side has no value.
        shares: Which metrics are differences of shares, `[M]`; where every task has the same difference at an edge (-1,
            0 or 1) the interval is the exact binomial bound on how often another task would have another one.
        seed: Seeds the resamples.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(shares):
        raise ValueError(f"a matrix of shape {values.shape} does not have a column for each of {len(shares)} metrics")
    means = resampled_means(values, seed)
    return [_paired(values[:, column], means[:, column], share) for column, share in enumerate(shares)]


def mcnemar(b: int, c: int) -> float:
    """Return the exact two-sided p-value that `b` wins and `c` losses are draws of a fair coin; 1 without any.

    McNemar 1947, doi:10.1007/BF02295996, with the binomial distribution in place of the chi-squared one.

    Raises:
        ValueError: A count is negative.
    """
    if b < 0 or c < 0:
        raise ValueError(f"wins and losses are counts, got {b} and {c}")
    trials, fewer = b + c, min(b, c)
    term = total = 1
    for i in range(fewer):
        term = term * (trials - i) // (i + 1)
        total += term
    p: float = 2 * total / 2**trials
    return min(1.0, p)


def resampled_means(values: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Return the means of resampled tasks, `[RESAMPLES, M]`, for values `[T, M]` with nan where a task has none.

    A resample that drew no task with a value of a metric has nan for it.
    """
    known = ~np.isnan(values)
    filled, present = np.where(known, values, 0.0), known.astype(np.float64)
    blocks = []
    for drawn in resamples(len(values), seed):
        counts = _counts(drawn)
        sizes = float(len(values)) if known.all() else counts @ present
        with np.errstate(invalid="ignore"):
            blocks.append(counts @ filled / sizes)
    return np.concatenate(blocks) if blocks else np.full((RESAMPLES, values.shape[1]), math.nan)


def resamples(tasks: int, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield `RESAMPLES` draws of the tasks with replacement, in blocks `[R, T]` of bounded size; none of no tasks."""
    random = np.random.default_rng(seed)
    left = RESAMPLES if tasks else 0
    while left:
        rows = min(left, max(1, _CELLS // tasks))
        yield random.integers(0, tasks, (rows, tasks))
        left -= rows


def _counts(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each resample drew each task, `[R, T]`."""
    rows, tasks = drawn.shape
    places = drawn + tasks * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * tasks).reshape(rows, tasks).astype(np.float64)


def _percentiles(means: NDArray[np.float64]) -> tuple[float, float]:
    """Return the interval between the tails of resampled means; nan among them is left out."""
    low, high = np.quantile(means[~np.isnan(means)], [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def _paired(differences: NDArray[np.float64], means: NDArray[np.float64], share: bool) -> Paired:
    """Return the comparison of the differences of tasks, `[T]`, whose resamples have the `means`, `[R]`."""
    known = differences[~np.isnan(differences)]
    if not known.size:
        return Paired(math.nan, math.nan, math.nan, math.nan, 0)
    least = min(1.0, 2.0 ** (1 - np.count_nonzero(known)))
    if np.all(known == known[0]):
        low, high = _unvaried_difference(float(known[0]), known.size, share)
        return Paired(float(known[0]), low, high, least, known.size)
    means = means[~np.isnan(means)]
    low, high = _percentiles(means)
    rounding = 1e-12 * float(np.abs(known).max())
    rarer = min(np.count_nonzero(means <= rounding), np.count_nonzero(means >= -rounding))
    p = min(1.0, 2 * (rarer + 1) / (len(means) + 1))
    return Paired(float(known.mean()), low, high, max(p, least), known.size)


def _unvaried(value: float, tasks: int, share: bool) -> Estimate:
    """Return the estimate where every task has the same value."""
    least = _TAIL ** (1 / tasks)  # the smallest probability that lets all of so many trials succeed once in 40 times
    low = least if share and value == 1 else value
    high = 1 - least if share and value == 0 else value
    return Estimate(value, low, high, tasks)


def _unvaried_difference(value: float, tasks: int, share: bool) -> tuple[float, float]:
    """Return the interval where every task has the same difference; others would differ from it at most so often."""
    if not share or value not in (-1, 0, 1):
        return value, value
    others = 1 - _TAIL ** (1 / tasks)
    reach = others if value == 0 else 2 * others  # from an edge the others are up to 2 away
    return max(-1.0, value - reach), min(1.0, value + reach)


def _check(n: int, successes: int, k: int) -> None:
    if not (0 <= successes <= n and 1 <= k <= n):
        raise ValueError(f"k={k} of n={n} samples with {successes} successes is not defined")
