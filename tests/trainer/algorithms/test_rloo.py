"""RLOO against its formula, computed by hand and in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import Rloo, rloo

from .bandit import learn
from .conftest import group


def test_each_episode_is_compared_with_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    rewards, groups = rng.normal(size=40), rng.integers(5, size=40)
    expected = [
        reward - np.mean([r for j, r in enumerate(rewards) if groups[j] == groups[i] and j != i])
        for i, reward in enumerate(rewards)
    ]
    found = rloo(torch.from_numpy(rewards), torch.from_numpy(groups))
    assert found.numpy() == pytest.approx(np.array(expected), rel=1e-12)


def test_every_token_has_the_advantage_of_its_episode():
    batch = make_batch([group([0.0, 1.0, 1.0]), group([4.0, 2.0], 1)])
    parts = Rloo().advantages(batch).split(batch.lengths)
    assert [set(part.tolist()) for part in parts] == [{-1.0}, {0.5}, {0.5}, {2.0}, {-2.0}]


def test_equal_rewards_a_single_episode_and_nothing_teach_nothing():
    assert Rloo().advantages(make_batch([group([1.0] * 4), group([3.0], 1)])).any().item() is False
    assert Rloo().advantages(make_batch([])).tolist() == []


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="rloo")) > 0.9
