"""Clip-Cov and KL-Cov against their formulas, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens
from agent_rl.trainer.algorithms.losses import Clip, ClipCov, KlCov, covariance

from .bandit import learn
from .differentiate import differentiated, drawn


def parts(old: np.ndarray, advantages: np.ndarray) -> np.ndarray:
    return (old - np.mean(old)) * (advantages - np.mean(advantages))


def test_the_parts_of_the_covariance_have_the_covariance_as_their_mean():
    _, old, advantages = drawn()
    found = covariance(torch.from_numpy(old), torch.from_numpy(advantages)).numpy()
    assert found == pytest.approx(parts(old, advantages), rel=1e-12)
    assert found.mean() == pytest.approx(np.cov(old, advantages, bias=True)[0, 1], rel=1e-12)


def test_kl_cov_charges_the_tokens_of_the_largest_covariance():
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


def test_clip_cov_takes_the_gradient_from_a_share_of_the_tokens_within_the_bounds():
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


def test_clip_cov_takes_no_more_tokens_than_are_within_the_bounds():
    _, old, advantages = (torch.from_numpy(x) for x in drawn())
    assert (ClipCov(cov_low=1e6, cov_high=2e6).prepare(old, advantages)["kept"] == 1).all()


@pytest.mark.parametrize("loss", [ClipCov(share=0.02, cov_low=0.1), KlCov(share=0.02)])
def test_it_learns(loss):
    assert learn(AlgorithmSettings(loss=loss)) > 0.9
