"""GSPO and GSPO-token against their formulas, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.losses import Gspo, gspo

from .bandit import learn
from .differentiate import differentiated, drawn

LENGTHS = [1, 30, 9, 20]
SEQUENCE = np.repeat(np.arange(4), LENGTHS)


def means(values: np.ndarray) -> np.ndarray:
    """Return the mean of each token's sequence."""
    return np.array([values[i == SEQUENCE].mean() for i in range(4)])[SEQUENCE]


def test_a_sequence_has_one_ratio_and_one_loss():
    new, old, advantages = drawn()
    ratio, mean = np.exp(means(new - old)), means(advantages)
    expected = -np.minimum(ratio * mean, np.clip(ratio, 0.98, 1.03) * mean)
    free = np.where(mean > 0, ratio <= 1.03, ratio >= 0.98)
    given = torch.from_numpy(old), torch.from_numpy(advantages), LENGTHS
    loss, gradient = differentiated(lambda logprobs: gspo(logprobs, *given, 0.02, 0.03), new)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert gradient == pytest.approx(np.where(free, -ratio * mean, 0.0), rel=1e-12)  # 1/n each, of n equal losses
    assert 0 < free.sum() < len(free)


def test_by_token_each_advantage_counts_at_its_token():
    new, old, advantages = drawn()
    ratio = np.exp(means(new - old))
    expected = -np.minimum(ratio * advantages, np.clip(ratio, 0.98, 1.03) * advantages)
    free = np.where(advantages > 0, ratio <= 1.03, ratio >= 0.98)
    given = torch.from_numpy(old), torch.from_numpy(advantages), LENGTHS
    loss, gradient = differentiated(lambda logprobs: gspo(logprobs, *given, 0.02, 0.03, by_token=True), new)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert gradient == pytest.approx(np.where(free, -ratio * advantages, 0.0), rel=1e-12)


def test_with_equal_advantages_both_variants_have_one_gradient():
    new, old, advantages = drawn()
    given = torch.from_numpy(old), torch.from_numpy(means(advantages)), LENGTHS
    one, other = (differentiated(lambda p, v=v: gspo(p, *given, 0.02, 0.03, by_token=v), new) for v in (False, True))
    assert one[0] == pytest.approx(other[0], rel=1e-12)
    assert one[1] == pytest.approx(other[1], rel=1e-12)


def test_nothing_has_no_loss():
    assert gspo(*[torch.zeros(0)] * 3, [], 0.1, 0.1).loss.shape == (0,)


@pytest.mark.parametrize("variant", ["sequence", "token"])
def test_it_learns(variant):
    assert learn(AlgorithmSettings(loss=Gspo(variant=variant), aggregation="sequence")) > 0.8
