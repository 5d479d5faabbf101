"""The clipped surrogate against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms.losses import clip


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
