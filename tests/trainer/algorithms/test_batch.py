"""What estimators see of a step: every token finds its turn, its trajectory, its episode and its group."""

import random

import torch

from agent_rl.core.trajectory import Group, Origin
from agent_rl.trainer.algorithms import make_batch
from agent_rl.trainer.batches import samples

from ..conftest import trajectory
from .conftest import group


def test_tokens_find_their_turn_and_their_trajectory():
    rng = random.Random(3)
    made = [trajectory(rng, float(i), turns=1 + i) for i in range(3)]
    for sample, one in enumerate(made):
        one.sample = sample
        for number, turn in enumerate(one.turns):
            turn.reward = 10.0 * sample + number
    batch = make_batch([Group("t", made)])
    assert batch.lengths == [len(one.action_logprobs) for one in made]
    expected = [one.turns[turn].reward for one in made for turn in one.action_turns]
    assert batch.by_turn(batch.turn_rewards).tolist() == expected
    assert batch.rewards.tolist() == [one.reward for one in made]
    assert batch.by_episode(batch.rewards).tolist() == [one.reward for one in made for _ in one.action_logprobs]


def test_turns_have_the_same_state_where_the_same_group_reads_the_same():
    one, other = group([0.0, 1.0]), group([0.0, 1.0], 1)
    prompt = one.trajectories[0].segments[0]
    for made in (one, other):
        for t in made.trajectories:
            t.segments[0] = prompt
    batch = make_batch([one, other])
    states = batch.turn_states.tolist()
    assert states[0] == states[2] and states[4] == states[6] and states[0] != states[4]
    assert len(set(states)) == 6
    assert batch.turn_groups.tolist() == [0] * 4 + [1] * 4


def test_what_sampled_nothing_counts_in_the_rewards_and_is_no_sample():
    made = group([0.0, 1.0])
    silent = made.trajectories[1]
    silent.segments = [s for s in silent.segments if s.origin is not Origin.ACTION]
    batch = make_batch([made])
    assert batch.rewards.tolist() == [0.0, 1.0] and batch.trajectories == made.trajectories[:1]
    assert batch.episodes.tolist() == [0]


def test_samples_have_their_part_of_all_that_is_known_of_tokens():
    batch = make_batch([group([0.0, 1.0]), group([2.0], 1)])
    count = len(batch.turns)
    cut = samples(batch.noted(values=torch.arange(count)), torch.arange(count) * 2.0)
    assert torch.cat([one.advantages for one in cut]).tolist() == [2.0 * i for i in range(count)]
    assert all(torch.equal(one.notes["values"] * 2.0, one.advantages) for one in cut)
    assert [one.episode for one in cut] == [0, 1, 2]
    assert [one.trained for one in cut] == [len(one.trajectory.action_logprobs) for one in cut]


def test_an_empty_step_is_an_empty_batch():
    batch = make_batch([])
    assert batch.lengths == [] and samples(batch, torch.zeros(0)) == []
