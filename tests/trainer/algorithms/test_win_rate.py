"""The win rate against a count of all pairs."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import WinRate, win_rate

from .bandit import learn
from .conftest import group


def test_it_is_the_share_of_pairs_won_less_one_half():
    rng = np.random.default_rng(0)
    rewards, groups = rng.integers(4, size=50).astype(float), rng.integers(6, size=50)
    expected = []
    for i in range(50):
        others = rewards[groups == groups[i]]
        expected.append(np.mean([1.0 if rewards[i] > r else 0.5 if rewards[i] == r else 0.0 for r in others]) - 0.5)
    found = win_rate(torch.from_numpy(rewards), torch.from_numpy(groups))
    assert found.numpy() == pytest.approx(np.array(expected), rel=1e-12, abs=1e-15)


def test_by_how_much_an_episode_wins_is_no_matter():
    small, large = (WinRate().advantages(make_batch([group([0.0, 1.0, top])])) for top in (1.5, 100.0))
    assert torch.equal(small, large) and small.min() == -1 / 3 and small.max() == 1 / 3


def test_equal_rewards_a_single_episode_and_nothing_teach_nothing():
    assert WinRate().advantages(make_batch([group([1.0] * 4), group([3.0], 1)])).any().item() is False
    assert WinRate().advantages(make_batch([])).tolist() == []


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="win_rate")) > 0.9
