"""REINFORCE++ against its formula, computed in NumPy over all tokens."""

import numpy as np
import pytest

from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import ReinforcePlusPlus

from .bandit import learn
from .conftest import group

STEP = [group([0.0, 1.0, 0.25]), group([5.0, 7.0], 1)]


def normalised(tokens: list[float]) -> list[float]:
    return ((np.array(tokens) - np.mean(tokens)) / (np.std(tokens) + 1e-6)).tolist()


def test_rewards_are_normalised_over_all_tokens_of_the_step():
    tokens = [t.reward for made in STEP for t in made.trajectories for _ in t.action_logprobs]
    found = ReinforcePlusPlus().advantages(make_batch(STEP)).tolist()
    assert found == pytest.approx(normalised(tokens), rel=1e-12)


def test_with_the_baseline_the_mean_of_the_group_is_taken_off_before():
    tokens = [t.reward - np.mean(made.rewards) for made in STEP for t in made.trajectories for _ in t.action_logprobs]
    found = ReinforcePlusPlus(baseline=True).advantages(make_batch(STEP)).tolist()
    assert found == pytest.approx(normalised(tokens), rel=1e-12)


@pytest.mark.parametrize("baseline", [False, True])
def test_equal_rewards_and_nothing_teach_nothing(baseline):
    estimator = ReinforcePlusPlus(baseline=baseline)
    assert estimator.advantages(make_batch([group([0.5] * 3), group([0.5], 1)])).any().item() is False
    assert estimator.advantages(make_batch([])).tolist() == []


@pytest.mark.parametrize("baseline", [False, True])
def test_it_learns_a_bandit(baseline):
    assert learn(AlgorithmSettings(advantage={"name": "reinforce_plus_plus", "baseline": baseline})) > 0.9
