"""GiGPO against its formula, by hand and in NumPy."""

import numpy as np
import pytest
import torch

from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.advantages import Gigpo, step_advantages

from .bandit import learn


def walk(sample: int, states: list[int], rewards: list[float]) -> Trajectory:
    """Return an episode that reads a state before each turn, says two tokens in it and earns a reward."""
    made = Trajectory("t", sample)
    for number, (state, reward) in enumerate(zip(states, rewards, strict=True)):
        made.segments.append(Segment(Origin.OBSERVATION if number else Origin.PROMPT, (state,)))
        made.segments.append(Segment(Origin.ACTION, (1, 2), (-1.0, -1.0), (0, 0)))
        made.turns.append(Turn(reward=reward))
    return made


def norm(values: list[float]) -> np.ndarray:
    return (np.array(values) - np.mean(values)) / (np.std(values) + 1e-6)


WALKS = [walk(0, [7, 8, 9], [0.0, 0.0, 1.0]), walk(1, [7, 7, 8], [0.0, 0.5, 0.0]), walk(2, [7, 5], [0.0, 0.0])]


def test_episodes_are_compared_and_turns_with_those_of_their_state():
    whole = norm([1.0, 0.5, 0.0])
    seven = norm([0.81, 0.45, 0.5, 0.0])  # discounted returns: of the first episode, twice of the second, of the third
    eight = norm([0.9, 0.0])
    steps = [seven[0], eight[0], 0.0, seven[1], seven[2], eight[1], seven[3], 0.0]
    expected = np.repeat(whole, [3, 3, 2]) + 0.5 * np.array(steps)
    found = Gigpo(weight=0.5, discount=0.9).advantages(make_batch([Group("t", WALKS)]))
    assert found.tolist() == pytest.approx(np.repeat(expected, 2).tolist(), rel=1e-12)


def test_states_of_different_groups_are_not_compared():
    alone = Gigpo().advantages(make_batch([Group("t", WALKS)]))
    other = Group("u", [walk(0, [7, 8], [3.0, 4.0]), walk(1, [7, 8], [3.0, 5.0])])
    assert torch.equal(Gigpo().advantages(make_batch([Group("t", WALKS), other]))[: len(alone)], alone)


def test_without_normalizing_advantages_are_centred_only():
    found = step_advantages(
        torch.tensor([1.0, 0.0, 4.0]), torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]), 1.0, normalize=False
    )
    assert found.tolist() == [-1.5, 0.0, 1.5]


def test_a_single_episode_and_nothing_teach_nothing():
    assert Gigpo().advantages(make_batch([Group("t", WALKS[:1])])).any().item() is False
    assert Gigpo().advantages(make_batch([])).tolist() == []


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(advantage="gigpo")) > 0.9
