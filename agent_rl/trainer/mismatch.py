"""The mismatch of engine and trainer: how far the probabilities that were sampled with are from those that learn."""

import logging

from torch import Tensor

from agent_rl.trainer.algorithms.kl import k3

logger = logging.getLogger(__name__)
_OUTSIDE = (0.5, 2.0)


def mismatch(gap: Tensor) -> dict[str, float]:
    """Return the figures of at least one token, from its log-probability (nats) less the engine's, `[A]`."""
    gap = gap.double()
    ratio = gap.exp()
    low, high = _OUTSIDE
    return {
        "mismatch/kl": float(k3(-gap).mean()),
        "mismatch/log_ratio": float(gap.abs().mean()),
        "mismatch/ratio_max": float(ratio.max()),
        "mismatch/outside": float(((ratio < low) | (ratio > high)).double().mean()),
    }


class Alarm:
    """Warns once when engine and trainer differ by more than a bound."""

    def __init__(self, bound: float) -> None:
        """Warn when the mean of |log ratio| (nats) is over `bound`."""
        self._bound: float | None = bound

    def check(self, step: int, metrics: dict[str, float]) -> None:
        """Look at the metrics of `step`, counted from 1."""
        seen = metrics.get("mismatch/log_ratio", 0.0)
        if self._bound is not None and not seen <= self._bound:  # nor is what is no number
            logger.warning(
                "step %d: the log-probabilities of engine and trainer differ by %.3g on average, more than "
                "trainer.mismatch_alarm=%g; algorithm.correction corrects for it",
                step,
                seen,
                self._bound,
            )
            self._bound = None
