"""GRPO against its formula, computed independently in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.core.outcome import Cause, Failure
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import Grpo, grpo

from .bandit import learn
from .conftest import group


def advantages(*groups: Group, normalize: bool = True) -> list[float]:
    """Return the advantage of each trajectory, whose tokens have one in common."""
    batch = make_batch(groups)
    tokens = Grpo(normalize=normalize).advantages(batch).split(batch.lengths)
    assert all((part == part[0]).all() for part in tokens)
    return [float(part[0]) for part in tokens]


def test_advantages_are_centred_and_divided_by_the_population_deviation():
    rewards = [0.0, 1.0, 1.0, 0.25]
    expected = (np.array(rewards) - np.mean(rewards)) / (np.std(rewards) + 1e-6)
    assert advantages(group(rewards)) == pytest.approx(expected.tolist(), rel=1e-12)


def test_groups_are_compared_within_themselves():
    rng = np.random.default_rng(0)
    rewards, groups = rng.normal(size=40), rng.integers(5, size=40)
    expected = np.empty(40)
    for number in range(5):
        mine = rewards[groups == number]
        expected[groups == number] = (mine - mine.mean()) / (mine.std() + 1e-6)
    found = grpo(torch.from_numpy(rewards), torch.from_numpy(groups))
    assert found.numpy() == pytest.approx(expected, rel=1e-12)
    assert advantages(group([0.0, 1.0]), group([5.0, 6.0], 1)) == pytest.approx([-1, 1, -1, 1], abs=1e-5)


def test_without_normalizing_advantages_are_centred_only():
    assert advantages(group([0.0, 1.0, 0.5, 0.5]), normalize=False) == pytest.approx([-0.5, 0.5, 0, 0])


def test_a_group_of_equal_rewards_teaches_nothing():
    assert advantages(group([1.0] * 4)) == [0.0] * 4


def test_what_infrastructure_failed_is_in_neither_mean_nor_deviation():
    made = group([0.0, 1.0, 1.0, 0.0])
    made.trajectories[3].failure = Failure(Cause.INFRASTRUCTURE, "tool", "gone")
    kept = [0.0, 1.0, 1.0]
    expected = (np.array(kept) - np.mean(kept)) / (np.std(kept) + 1e-6)
    assert advantages(made) == pytest.approx(expected.tolist())


def test_an_episode_of_several_trajectories_counts_once_and_each_of_them_has_its_advantage():
    made = group([0.0, 1.0, 0.0])
    made.trajectories[2].sample, made.trajectories[2].part = 1, 1  # the second episode's end
    assert advantages(made) == pytest.approx([-1.0, 1.0, 1.0], abs=1e-5)


def test_one_usable_episode_has_nothing_to_be_compared_with():
    made = group([1.0, 0.0])
    made.trajectories[1].failure = Failure(Cause.INFRASTRUCTURE, "tool", "gone")
    assert advantages(made) == [0.0]


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings()) > 0.9
