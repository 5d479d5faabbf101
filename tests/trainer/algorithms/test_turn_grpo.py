"""Turn-level GRPO against its formula, by hand and in NumPy."""

import random

import numpy as np
import pytest

from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import TurnGrpo

from ..conftest import trajectory
from .bandit import learn

REWARDS = [[0.5, 1.0], [0.0, 0.25, 0.75, 1.0], [1.0, 0.5, 0.0], [2.0]]


def episodes(rewards: list[list[float]]) -> Group:
    rng = random.Random(1)
    made = [trajectory(rng, 0.0, len(mine)) for mine in rewards]
    for sample, (t, mine) in enumerate(zip(made, rewards, strict=True)):
        t.sample = sample
        for turn, reward in zip(t.turns, mine, strict=True):
            turn.reward = reward
    return Group("t", made)


def by_turn(estimator: TurnGrpo, *groups: Group) -> list[list[float]]:
    """Return the advantages of the turns of each trajectory, whose tokens have one in common."""
    batch = make_batch(groups)
    found = []
    for t, part in zip(batch.trajectories, estimator.advantages(batch).split(batch.lengths), strict=True):
        tokens = [
            {a for a, n in zip(part.tolist(), t.action_turns, strict=True) if n == k} for k in range(len(t.turns))
        ]
        assert all(len(mine) == 1 for mine in tokens)
        found.append([mine.pop() for mine in tokens])
    return found


def norm(values: list[float]) -> np.ndarray:
    return (np.array(values) - np.mean(values)) / (np.std(values) + 1e-6) if len(values) > 1 else np.zeros(len(values))


def test_turns_are_compared_by_their_number_and_outcomes_with_each_other():
    outcome = norm([mine[-1] for mine in REWARDS])
    first, second = norm([0.5, 1.0, 1.5]), norm([1.0, 0.5])  # what the turns before the last earn from there on
    expected = [
        [first[0] + 0.5 * outcome[0], outcome[0]],
        [first[1] + 0.5 * outcome[1], second[0] + 0.5 * outcome[1], 0.5 * outcome[1], outcome[1]],
        [first[2] + 0.5 * outcome[2], second[1] + 0.5 * outcome[2], outcome[2]],
        [outcome[3]],
    ]
    for mine, right in zip(by_turn(TurnGrpo(outcome=0.5), episodes(REWARDS)), expected, strict=True):
        assert mine == pytest.approx(right, rel=1e-12)


def test_groups_are_compared_within_themselves():
    alone = by_turn(TurnGrpo(), episodes(REWARDS))
    shifted = [[reward + 3.0 for reward in mine] for mine in REWARDS[:3]]
    assert by_turn(TurnGrpo(), episodes(REWARDS), episodes(shifted))[:4] == alone


def test_without_normalizing_advantages_are_centred_only():
    found = by_turn(TurnGrpo(normalize=False), episodes([[1.0, 0.0], [0.0, 4.0]]))
    assert found == [[0.5 - 2.0, -2.0], [-0.5 + 2.0, 2.0]]


def test_the_parts_of_an_episode_are_turns_of_one():
    made = episodes([[0.5], [1.0], [0.0, 1.0]])
    made.trajectories[1].sample, made.trajectories[1].part = 0, 1
    whole = by_turn(TurnGrpo(), episodes([[0.5, 1.0], [0.0, 1.0]]))
    (first,), (second,), other = by_turn(TurnGrpo(), made)
    assert [[first, second], other] == whole


def test_a_single_episode_and_nothing_teach_nothing():
    assert by_turn(TurnGrpo(), episodes([[1.0, 2.0]])) == [[0.0, 0.0]]
    assert TurnGrpo().advantages(make_batch([])).tolist() == []


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="turn_grpo")) > 0.9
