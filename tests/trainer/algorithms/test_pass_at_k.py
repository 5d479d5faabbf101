"""Pass@k training against its definition: all sets of k episodes, counted one by one."""

from itertools import combinations

import numpy as np
import pytest
import torch

from agent_rl.core.errors import UserError
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import PassAtK, pass_at_k

from .bandit import learn
from .conftest import group


def over_all_sets(right: list[bool], k: int) -> list[float]:
    """Return the mean, over the sets with an episode, of the sets' normalised rewards."""
    sets = list(combinations(range(len(right)), k))
    rewards = np.array([float(any(right[i] for i in chosen)) for chosen in sets])
    advantages = (rewards - rewards.mean()) / rewards.std()
    return [float(np.mean([a for a, s in zip(advantages, sets, strict=True) if i in s])) for i in range(len(right))]


@pytest.mark.parametrize(("right", "n", "k"), [(1, 6, 2), (3, 6, 2), (2, 7, 4), (1, 8, 4), (4, 5, 1)])
def test_the_advantage_is_the_mean_over_all_sets(right, n, k):
    truth = [i < right for i in range(n)]
    found = pass_at_k(torch.tensor(truth), torch.zeros(n, dtype=torch.long), k)
    assert found.tolist() == pytest.approx(over_all_sets(truth, k), rel=1e-12)


def test_groups_are_compared_within_themselves_and_rewards_from_success_at_are_right():
    batch = make_batch([group([0.4, 0.6, 0.0]), group([0.0, 0.0, 0.5], 1)])
    parts = PassAtK(k=2, success_at=0.5).advantages(batch).split(batch.lengths)
    expected = [*over_all_sets([False, True, False], 2), *over_all_sets([False, False, True], 2)]
    assert [float(part[0]) for part in parts] == pytest.approx(expected, rel=1e-12)


def test_a_group_in_which_every_set_passes_or_none_does_teaches_nothing():
    for rewards in ([1.0] * 5, [0.0] * 5, [1.0, 1.0, 1.0, 1.0, 0.0], [1.0, 0.0], [1.0]):
        assert PassAtK(k=2).advantages(make_batch([group(rewards)])).any().item() is False
    assert PassAtK().advantages(make_batch([])).tolist() == []


def test_sets_as_large_as_the_group_are_refused():
    with pytest.raises(UserError, match=r"algorithm.advantage.k=4 needs algorithm.samples=5 or more"):
        AlgorithmSettings(samples=4, advantage="pass_at_k")


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage={"name": "pass_at_k", "k": 2, "success_at": 2.0})) > 0.9
