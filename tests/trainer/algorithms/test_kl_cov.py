"""KL-Cov against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens
from agent_rl.trainer.algorithms.losses import KlCov, covariance

from .bandit import learn
from .differentiate import differentiated, drawn


def parts(old: np.ndarray, advantages: np.ndarray) -> np.ndarray:
    return (old - np.mean(old)) * (advantages - np.mean(advantages))


def test_the_parts_of_the_covariance_have_the_covariance_as_their_mean():
    _, old, advantages = drawn()
    found = covariance(torch.from_numpy(old), torch.from_numpy(advantages)).numpy()
    assert found == pytest.approx(parts(old, advantages), rel=1e-12)
    assert found.mean() == pytest.approx(np.cov(old, advantages, bias=True)[0, 1], rel=1e-12)


def test_it_charges_the_tokens_of_the_largest_covariance():
    new, old, advantages = drawn()
    settings = KlCov(share=0.1, coefficient=2.0)
    given = torch.from_numpy(old), torch.from_numpy(advantages)
    notes = settings.prepare(*given)
    charged = np.zeros(60)
    charged[np.argsort(-parts(old, advantages))[:6]] = 1.0
    assert notes["charged"].numpy().tolist() == charged.tolist()
    loss, gradient = differentiated(lambda logprobs: settings.loss(Tokens(logprobs, *given, [60], notes)), new)
    gap = new - old
    assert loss == pytest.approx(-np.exp(gap) * advantages + 2 * charged * np.abs(gap), rel=1e-12)
    assert gradient == pytest.approx(-np.exp(gap) * advantages + 2 * charged * np.sign(gap), rel=1e-12)


def test_it_learns():
    assert learn(AlgorithmSettings(loss=KlCov(share=0.02))) > 0.9
