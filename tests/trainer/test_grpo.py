"""GRPO against its formula, computed independently in NumPy."""

import random

import numpy as np
import pytest
import torch

from agent_rl.core.outcome import Cause, Failure
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import Grpo, GrpoSettings

from .conftest import trajectory


def group(rewards: list[float]) -> Group:
    rng = random.Random(0)
    made = [trajectory(rng, reward) for reward in rewards]
    for sample, one in enumerate(made):
        one.sample = sample
    return Group("t", made)


def test_advantages_are_centred_and_divided_by_the_population_deviation():
    rewards = [0.0, 1.0, 1.0, 0.25]
    expected = (np.array(rewards) - np.mean(rewards)) / (np.std(rewards) + 1e-6)
    assert Grpo(GrpoSettings()).advantages(group(rewards)) == pytest.approx(expected.tolist(), rel=1e-12)


def test_without_normalizing_advantages_are_centred_only():
    assert Grpo(GrpoSettings(normalize=False)).advantages(group([0.0, 1.0, 0.5, 0.5])) == pytest.approx(
        [-0.5, 0.5, 0, 0]
    )


def test_a_group_of_equal_rewards_teaches_nothing():
    assert Grpo(GrpoSettings()).advantages(group([1.0] * 4)) == [0.0] * 4


def test_what_infrastructure_failed_is_in_neither_mean_nor_deviation():
    made = group([0.0, 1.0, 1.0, 0.0])
    made.trajectories[3].failure = Failure(Cause.INFRASTRUCTURE, "tool", "gone")
    kept = [0.0, 1.0, 1.0]
    expected = (np.array(kept) - np.mean(kept)) / (np.std(kept) + 1e-6)
    assert Grpo(GrpoSettings()).advantages(made) == pytest.approx([*expected.tolist(), 0.0])


def test_an_episode_of_several_trajectories_counts_once_and_each_of_them_has_its_advantage():
    made = group([0.0, 1.0, 0.0])
    made.trajectories[2].sample, made.trajectories[2].part = 1, 1  # the second episode's end
    assert Grpo(GrpoSettings()).advantages(made) == pytest.approx([-1.0, 1.0, 1.0], abs=1e-5)


def test_one_usable_episode_has_nothing_to_be_compared_with():
    made = group([1.0, 0.0])
    made.trajectories[1].failure = Failure(Cause.INFRASTRUCTURE, "tool", "gone")
    assert Grpo(GrpoSettings()).advantages(made) == [0.0, 0.0]


def test_the_loss_is_the_clipped_surrogate():
    rng = np.random.default_rng(0)
    old, new, advantage = rng.normal(size=200), rng.normal(size=200), rng.normal(size=200)
    ratio = np.exp(new - old)
    clipped = np.clip(ratio, 1 - 0.2, 1 + 0.28)
    expected = -np.minimum(ratio * advantage, clipped * advantage)
    result = Grpo(GrpoSettings()).loss(*(torch.from_numpy(x) for x in (new, old, advantage)))
    assert result.loss.numpy() == pytest.approx(expected, rel=1e-12)
    cut = ((advantage > 0) & (ratio > 1.28)) | ((advantage < 0) & (ratio < 0.8))
    assert result.clipped.bool().numpy().tolist() == cut.tolist()


def test_the_gradient_is_cut_exactly_where_the_clip_says():
    new = torch.tensor([0.5, -0.5, 0.5, -0.5, 0.0], requires_grad=True)
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0])
    Grpo(GrpoSettings()).loss(new, torch.zeros(5), advantages).loss.sum().backward()
    assert (new.grad == 0).tolist() == [True, False, False, True, False]
