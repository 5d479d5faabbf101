"""SAPO against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.losses import Sapo, sapo

from .bandit import learn
from .differentiate import differentiated, drawn


def test_the_gate_of_each_sign_weighs_loss_and_gradient():
    new, old, advantages = drawn()
    ratio, tau = np.exp(new - old), np.where(advantages > 0, 1.0, 2.5)
    gate = 1 / (1 + np.exp(-tau * (ratio - 1)))
    given = torch.from_numpy(old), torch.from_numpy(advantages), 1.0, 2.5
    loss, gradient = differentiated(lambda logprobs: sapo(logprobs, *given), new)
    assert loss == pytest.approx(-4 / tau * gate * advantages, rel=1e-12)
    assert gradient == pytest.approx(-4 * gate * (1 - gate) * ratio * advantages, rel=1e-12)


def test_where_nothing_has_changed_the_gradient_is_the_policy_gradient():
    _, old, advantages = drawn()
    given = torch.from_numpy(old), torch.from_numpy(advantages), 1.0, 1.05
    assert differentiated(lambda logprobs: sapo(logprobs, *given), old)[1] == pytest.approx(-advantages, rel=1e-12)


def test_it_learns():
    assert learn(AlgorithmSettings(loss=Sapo(), aggregation="sequence")) > 0.9
