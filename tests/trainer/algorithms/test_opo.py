"""OPO against its formula, computed in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import Opo, opo

from .bandit import learn
from .conftest import group


def test_the_baseline_weighs_episodes_by_their_length():
    rng = np.random.default_rng(0)
    rewards, lengths, groups = rng.normal(size=30), rng.integers(1, 50, size=30), rng.integers(4, size=30)
    expected = np.empty(30)
    for number in range(4):
        mine = groups == number
        expected[mine] = rewards[mine] - np.average(rewards[mine], weights=lengths[mine])
    found = opo(*(torch.from_numpy(x) for x in (rewards, lengths, groups)))
    assert found.numpy() == pytest.approx(expected, rel=1e-12)


def test_all_parts_of_an_episode_count_in_its_length():
    made = group([0.0, 1.0, 2.0])
    made.trajectories[2].sample, made.trajectories[2].part = 1, 1  # the second episode's end
    first, *rest = (len(t.action_logprobs) for t in made.trajectories)
    baseline = 3.0 * sum(rest) / (first + sum(rest))
    parts = Opo().advantages(make_batch([made])).split([first, *rest])
    assert [float(part[0]) for part in parts] == pytest.approx([-baseline, 3 - baseline, 3 - baseline], rel=1e-12)


def test_a_single_episode_and_nothing_teach_nothing():
    assert Opo().advantages(make_batch([group([3.0])])).any().item() is False
    assert Opo().advantages(make_batch([])).tolist() == []


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="opo")) > 0.9
