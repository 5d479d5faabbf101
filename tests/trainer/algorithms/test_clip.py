"""The clipped surrogate against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens
from agent_rl.trainer.algorithms.losses import Clip, clip

from .bandit import learn
from .differentiate import differentiated, drawn


def test_the_loss_is_the_clipped_surrogate():
    rng = np.random.default_rng(0)
    old, new, advantage = rng.normal(size=200), rng.normal(size=200), rng.normal(size=200)
    ratio = np.exp(new - old)
    expected = -np.minimum(ratio * advantage, np.clip(ratio, 1 - 0.2, 1 + 0.28) * advantage)
    result = clip(*(torch.from_numpy(x) for x in (new, old, advantage)), clip_low=0.2, clip_high=0.28)
    assert result.loss.numpy() == pytest.approx(expected, rel=1e-12)
    cut = ((advantage > 0) & (ratio > 1.28)) | ((advantage < 0) & (ratio < 0.8))
    assert result.clipped.bool().numpy().tolist() == cut.tolist()


def test_the_gradient_is_cut_exactly_where_the_clip_says():
    new = torch.tensor([0.5, -0.5, 0.5, -0.5, 0.0], requires_grad=True)
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0])
    clip(new, torch.zeros(5), advantages, 0.2, 0.28).loss.sum().backward()
    assert (new.grad == 0).tolist() == [True, False, False, True, False]


def test_without_a_dual_clip_not_a_bit_differs():
    new, old, advantages = (torch.tensor(x) for x in drawn())
    ratio = (new - old).exp()
    expected = -torch.minimum(ratio * advantages, ratio.clamp(1 - 0.2, 1 + 0.28) * advantages)
    assert torch.equal(Clip().loss(Tokens(new, old, advantages, [60])).loss, expected)


def test_a_dual_clip_bounds_the_loss_of_negative_advantages_and_cuts_their_gradient():
    new, old, advantages = drawn(count=200)
    new[:20], advantages[:20] = old[:20] + 2.0, -1.0
    ratio = np.exp(new - old)
    plain = np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.28) * advantages)
    expected = -np.where(advantages < 0, np.maximum(plain, 3.0 * advantages), plain)
    free = np.where(advantages > 0, ratio <= 1.28, (ratio >= 0.8) & (ratio <= 3.0))
    given = torch.from_numpy(old), torch.from_numpy(advantages)
    loss, gradient = differentiated(lambda logprobs: clip(logprobs, *given, 0.2, 0.28, dual_clip=3.0), new)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert gradient == pytest.approx(np.where(free, -ratio * advantages, 0.0), rel=1e-12)
    cut = clip(torch.from_numpy(new), *given, 0.2, 0.28, dual_clip=3.0).clipped.bool().numpy()
    assert (cut == (~free & (advantages != 0))).all()
    assert ((ratio > 3) & (advantages < 0)).sum() >= 20


def test_it_learns_with_a_dual_clip():
    assert learn(AlgorithmSettings(loss=Clip(dual_clip=3.0))) > 0.9
