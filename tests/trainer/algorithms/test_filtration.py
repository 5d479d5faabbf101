"""Policy filtration: what is kept by rank, with whole episodes, and what a step then learns from."""

from random import Random

import pytest

from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.core.outcome import InfrastructureError, StopReason
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import make_batch
from agent_rl.trainer.algorithms.filtration import chosen, filtered
from agent_rl.trainer.settings import TrainConfig

from .conftest import group

REWARDS = [0.5, 2.0, -1.0, 2.0, -1.0, 0.0]


@pytest.mark.parametrize(
    ("keep", "expected"), [("all", [0, 1, 2, 3, 4, 5]), ("best", [1]), ("best_worst", [1, 4]), ("best_random", None)]
)
def test_episodes_are_kept_by_the_rank_of_their_rewards(keep, expected):
    found = [chosen(REWARDS, keep, Random(seed)) for seed in range(400)]
    if expected is not None:
        assert all(one == expected for one in found)
    else:
        assert all(len(one) == 2 and 1 in one for one in found)
        others = [next(i for i in one if i != 1) for one in found]
        assert {i: round(others.count(i) / 400, 1) for i in set(others)} == dict.fromkeys((0, 2, 3, 4, 5), 0.2)


@pytest.mark.parametrize("keep", ["all", "best", "best_random", "best_worst"])
def test_of_one_episode_or_none_there_is_nothing_to_choose(keep):
    assert chosen([], keep, Random(0)) == [] and chosen([3.0], keep, Random(0)) == [0]


def test_an_episode_is_kept_with_all_its_parts_and_a_failed_one_never():
    made = group([1.0, 0.5, 0.0, 9.0])
    first, second, _, failed = made.trajectories
    failed.failure = InfrastructureError("engine", "gone").failure()
    second.sample, second.part, first.stop = 0, 1, StopReason.REWRITTEN  # the first episode has two parts now
    (kept,) = filtered([made], "best_worst", 3)
    assert [(t.sample, t.part) for t in kept.trajectories] == [(0, 0), (0, 1), (2, 0)]
    assert kept.rewards == [1.5, 0.0] and make_batch([kept]).rewards.tolist() == [1.5, 0.0]


def test_it_is_the_same_again_and_leaves_the_groups_as_they_are():
    groups = [group(REWARDS, seed) for seed in range(8)]
    one, other, later = (filtered(groups, "best_random", step) for step in (0, 0, 1))
    assert one == other != later
    assert all(len(group.trajectories) == 6 for group in groups) and filtered(groups, "all", 0) == groups
    assert filtered([], "best", 0) == [] and filtered([Group("t", [])], "best", 0) == [Group("t", [])]


def test_pf_ppo_is_ppo_on_what_is_kept():
    algorithm = validate(TrainConfig, compose("train", ["algorithm=pf_ppo"])).algorithm
    assert (algorithm.keep, algorithm.advantage.name, algorithm.needs) == ("best_worst", "gae", {"values"})
