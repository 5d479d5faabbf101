"""REINFORCE against its formula."""

import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.losses import Reinforce, reinforce

from .bandit import learn
from .differentiate import differentiated, drawn


def test_the_loss_is_the_log_probability_times_the_advantage():
    new, _, advantages = drawn()
    loss, gradient = differentiated(lambda logprobs: reinforce(logprobs, torch.from_numpy(advantages)), new)
    assert loss == pytest.approx(-new * advantages, rel=1e-12)
    assert gradient == pytest.approx(-advantages, rel=1e-12)


def test_it_learns():
    assert learn(AlgorithmSettings(loss=Reinforce()), updates=1) > 0.8
