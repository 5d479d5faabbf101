"""The bootstrap over tasks, and the exact binomial bounds that keep it from claiming too much of rare things."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
TAIL = 0.025  # probability beyond either end of an interval

_CELLS = 1 << 20  # drawn tasks that are held at once
_ROUNDING = 1e-10  # variance, relative to that of all tasks, which is none
_FAR = 1e9  # stands for an infinite t: finite, so that quantiles can be interpolated


def resamples(tasks: int, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield `RESAMPLES` draws of the tasks with replacement, in blocks `[R, T]` of bounded size; none of no tasks."""
    random = np.random.default_rng(seed)
    left = RESAMPLES if tasks else 0
    while left:
        rows = min(left, max(1, _CELLS // tasks))
        yield random.integers(0, tasks, (rows, tasks))
        left -= rows


def moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each column of `[T, M]`, each `[M]`; nan is no value, both 0 of none."""
    known = ~np.isnan(values)
    sizes = np.maximum(1, known.sum(axis=0))
    filled = np.where(known, values, 0.0)
    means = filled.sum(axis=0) / sizes
    deviations = np.sqrt((np.where(known, values - means, 0.0) ** 2).sum(axis=0) / sizes)
    noise = 1e-12 * np.abs(filled).max(axis=0, initial=0.0)  # what rounding makes of equal values
    return means, np.where(deviations > noise, deviations, 0.0)


def resampled_t(values: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Return how far each resample's mean is from the mean, in its own standard deviations, `[RESAMPLES, M]`.

    `values` is `[T, M]` with nan where a task has none. A resample without spread is 1e9 away, or 0 if its mean is
    the same; one that drew no task with a value is nan.
    """
    mean, deviation = moments(values)
    known = ~np.isnan(values)
    centred, present = np.where(known, values - mean, 0.0), known.astype(np.float64)
    blocks = [np.empty((0, values.shape[1]))]
    for drawn in resamples(len(values), seed):
        counts = _counts(drawn)
        with np.errstate(invalid="ignore", divide="ignore"):
            sizes = np.float64(len(values)) if known.all() else counts @ present
            shift = counts @ centred / sizes
            variance = counts @ centred**2 / sizes - shift**2
            spread = np.sqrt(np.where(variance > _ROUNDING * deviation**2, variance, 0.0))
            t = np.clip(shift / spread, -_FAR, _FAR)
        t[np.abs(shift) <= _ROUNDING * deviation] = 0.0
        t[np.broadcast_to(sizes == 0, t.shape)] = math.nan
        blocks.append(t)
    return np.concatenate(blocks)


def binomial_bounds(successes: float, trials: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a probability (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404).

    Successes may be a sum of shares; it is rounded away from the bound that is looked for. A share varies no more than
    a success of the same probability, so the interval holds for shares as well.
    """
    return 1 - _upper_bound(trials - successes, trials), _upper_bound(successes, trials)


def _upper_bound(successes: float, trials: int) -> float:
    """Return the probability under which so few successes or fewer have a probability of `TAIL`."""
    count = math.ceil(successes - 1e-9)
    if count >= trials:
        return 1.0
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])  # of factorials
    won = np.arange(count + 1)
    ways = logs[trials] - logs[won] - logs[trials - won]
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        tail = np.exp(ways + won * math.log(middle) + (trials - won) * math.log1p(-middle)).sum()
        low, high = (middle, high) if tail > TAIL else (low, middle)
    return high


def _counts(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each resample drew each task, `[R, T]`."""
    rows, tasks = drawn.shape
    places = drawn + tasks * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * tasks).reshape(rows, tasks).astype(np.float64)
