"""SPPO's loss against its formula in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.aggregation import weights
from agent_rl.trainer.algorithms.losses import sppo

from .bandit import learn
from .differentiate import differentiated, drawn

LENGTHS = [1, 20, 7, 32]


def test_value_and_gradient_are_those_of_the_formula():
    new, old, _ = drawn()
    advantages = np.repeat([0.3, -0.2, 0.0, 0.5], LENGTHS)
    given = torch.from_numpy(old), torch.from_numpy(advantages), LENGTHS, 7.0
    loss, gradient = differentiated(lambda p: sppo(p, *given), new)
    gaps = [part.sum() for part in np.split(new - old, np.cumsum(LENGTHS)[:-1])]
    error = np.repeat(gaps, LENGTHS) - 7.0 * advantages
    assert loss == pytest.approx(error**2, rel=1e-12)
    assert gradient == pytest.approx(2 * error * np.repeat(LENGTHS, LENGTHS), rel=1e-12)  # of the sum over tokens


def test_averaged_by_sequence_it_is_the_mean_of_the_squared_errors():
    new, old, advantages = drawn(1)
    advantages = np.repeat(advantages[:4], LENGTHS)
    factors, divisor = weights("sequence", LENGTHS, [0, 1, 1, 2])
    loss = sppo(*map(torch.from_numpy, (new, old, advantages)), LENGTHS, 3.0).loss.numpy()
    ends = np.cumsum(LENGTHS)
    errors = [
        (new - old)[end - n : end].sum() - 3.0 * advantages[end - 1] for end, n in zip(ends, LENGTHS, strict=True)
    ]
    found = np.sum(np.repeat(factors.numpy(), LENGTHS) * loss) / divisor
    assert found == pytest.approx(np.mean(np.square(errors)), rel=1e-12)


def test_nothing_sampled_is_no_loss():
    assert sppo(torch.zeros(0), torch.zeros(0), torch.zeros(0), [], 1.0).loss.tolist() == []


def test_it_learns_a_bandit():
    algorithm = AlgorithmSettings(advantage="win_rate", loss={"name": "sppo", "eta": 10.0}, aggregation="sequence")
    assert learn(algorithm) > 0.9
