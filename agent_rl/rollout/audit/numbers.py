"""Log-probabilities, weight versions and rewards of one trajectory, as numbers."""

import math
from collections.abc import Iterator

from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Origin, Trajectory
from agent_rl.rollout.audit.findings import Check, Finding


def check_numbers(trajectory: Trajectory) -> Iterator[Finding]:
    """Yield log-probabilities that are none: not finite, or above 0."""
    for turn, position, logprob, _ in sampled(trajectory):
        if not math.isfinite(logprob) or logprob > 0:
            yield Finding(Check.LOGPROBS, f"a log-probability cannot be {logprob}", turn, position, found=str(logprob))


def check_versions(trajectory: Trajectory, step: int) -> Iterator[Finding]:
    """Yield the first weight version that goes back, and the first that the rollout of `step` could not know yet."""
    newest = step - 1
    before = 0
    for turn, position, _, version in sampled(trajectory):
        if version < before:
            what = f"version {version} of the weights after version {before}"
            yield Finding(Check.VERSIONS, what, turn, position, expected=f"at least {before}", found=str(version))
            break
        before = version
    ahead = next((token for token in sampled(trajectory) if token[3] > newest), None)
    if ahead:
        turn, position, _, version = ahead
        what = f"version {version} of the weights in step {step}, which begins with version {newest}"
        yield Finding(Check.VERSIONS, what, turn, position, expected=f"at most {newest}", found=str(version))


def check_rewards(trajectory: Trajectory) -> Iterator[Finding]:
    """Yield a stop reason that denies the failure or claims one, and a reward in the turn that failed.

    The rewards of turns that were over before the failure may stand: such an episode is left out as a whole.
    """
    failed = trajectory.stop is StopReason.FAILED
    if failed != (trajectory.failure is not None):
        failure = f"the failure '{trajectory.failure.message}'" if trajectory.failure else "no failure"
        yield Finding(Check.REWARDS, f"the stop reason is '{trajectory.stop}', but there is {failure}")
    if trajectory.usable or not trajectory.turns or trajectory.segments[-1].origin is not Origin.ACTION:
        return
    if trajectory.turns[-1].reward:
        what = f"the turn that failed has the reward {trajectory.turns[-1].reward:g}"
        yield Finding(Check.REWARDS, what, len(trajectory.turns) - 1, expected="0", found=f"{trajectory.reward:g}")


def sampled(trajectory: Trajectory) -> Iterator[tuple[int, int, float, int]]:
    """Yield turn, position, log-probability and weight version of each sampled token."""
    at, turn = 0, 0
    for segment in trajectory.segments:
        if segment.origin is Origin.ACTION:
            for offset, pair in enumerate(zip(segment.logprobs, segment.weight_versions, strict=True)):
                yield turn, at + offset, *pair
            turn += 1
        at += len(segment.tokens)
