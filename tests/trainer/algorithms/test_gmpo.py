"""GMPO against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.losses import Gmpo, gmpo

from .bandit import learn
from .differentiate import differentiated, drawn

LENGTHS = [1, 30, 9, 20]


def test_the_loss_is_the_geometric_mean_of_ratios_that_are_clipped_on_one_side():
    new, old, _ = drawn()
    values = [0.7, -1.3, 0.0, 2.0]
    expected, gradient, clipped = [], [], []
    for start, length, advantage in zip(np.cumsum([0, *LENGTHS[:-1]]), LENGTHS, values, strict=True):
        ratio = np.exp(new - old)[start : start + length]
        sign = np.sign(advantage)  # the paper's: min of the ratio to the power of the sign, and of the clipped one
        kept = np.minimum(ratio**sign, np.clip(ratio, np.exp(-0.4), np.exp(0.3)) ** sign)
        loss = -advantage * np.prod(kept) ** (sign / length)
        free = kept == ratio**sign
        expected += [loss] * length
        gradient += list(np.where(free, loss, 0.0))
        clipped += list(~free)
    advantages = torch.tensor(values, dtype=torch.float64).repeat_interleave(torch.tensor(LENGTHS))
    given = torch.from_numpy(old), advantages, LENGTHS, 0.4, 0.3
    found, derivative = differentiated(lambda logprobs: gmpo(logprobs, *given), new)
    assert found == pytest.approx(np.array(expected), rel=1e-12)
    assert derivative == pytest.approx(np.array(gradient), rel=1e-12)
    trained = advantages.numpy() != 0
    assert (gmpo(torch.from_numpy(new), *given).clipped.bool().numpy() == clipped)[trained].all()
    assert 0 < sum(clipped) < len(clipped)


def test_it_learns():
    assert learn(AlgorithmSettings(loss=Gmpo(), aggregation="sequence")) > 0.9
