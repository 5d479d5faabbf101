"""CISPO against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.losses import Cispo, cispo

from .bandit import learn
from .differentiate import differentiated, drawn


@pytest.mark.parametrize(("low", "high"), [(1.0, 4.0), (0.2, 0.28)])
def test_every_token_keeps_the_gradient_of_its_clipped_weight(low, high):
    new, old, advantages = drawn()
    weight = np.clip(np.exp(new - old), 1 - low, 1 + high)
    given = torch.from_numpy(old), torch.from_numpy(advantages)
    loss, gradient = differentiated(lambda logprobs: cispo(logprobs, *given, low, high), new)
    assert loss == pytest.approx(-weight * advantages * new, rel=1e-12)
    assert gradient == pytest.approx(-weight * advantages, rel=1e-12)
    clipped = cispo(torch.from_numpy(new), *given, low, high).clipped.bool().numpy()
    assert (clipped == (np.exp(new - old) != weight)).all()


def test_it_learns():
    assert learn(AlgorithmSettings(loss=Cispo())) > 0.9
