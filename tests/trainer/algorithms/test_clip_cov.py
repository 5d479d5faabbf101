"""Clip-Cov against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens
from agent_rl.trainer.algorithms.losses import Clip, ClipCov

from .bandit import learn
from .differentiate import differentiated, drawn
from .test_kl_cov import parts


def test_it_takes_the_gradient_from_a_share_of_the_tokens_within_the_bounds():
    new, old, advantages = drawn(count=400)
    settings = ClipCov(share=0.02, cov_low=0.5, cov_high=3.0)
    given = torch.from_numpy(old), torch.from_numpy(advantages)
    notes = settings.prepare(*given)
    lost = notes["kept"].numpy() == 0
    inside = (parts(old, advantages) > 0.5) & (parts(old, advantages) < 3.0)
    assert lost.sum() == 8 < inside.sum() and (inside | ~lost).all()
    assert torch.equal(notes["kept"], settings.prepare(*given)["kept"])
    plain = differentiated(lambda logprobs: Clip().loss(Tokens(logprobs, *given, [400])), new)
    found = differentiated(lambda logprobs: settings.loss(Tokens(logprobs, *given, [400], notes)), new)
    for one, other in zip(found, plain, strict=True):
        assert one == pytest.approx(np.where(lost, 0.0, other), rel=1e-12)


def test_it_takes_no_more_tokens_than_are_within_the_bounds():
    _, old, advantages = (torch.from_numpy(x) for x in drawn())
    assert (ClipCov(cov_low=1e6, cov_high=2e6).prepare(old, advantages)["kept"] == 1).all()


def test_it_learns():
    assert learn(AlgorithmSettings(loss=ClipCov(share=0.02, cov_low=0.1))) > 0.9
