"""Overlong shaping against its formula, by hand."""

import pytest
import torch

from agent_rl.core.outcome import StopReason
from agent_rl.trainer.algorithms import make_batch
from agent_rl.trainer.algorithms.overlong import Overlong, overlong

from .conftest import group


def test_rewards_fall_over_the_last_share_of_the_limit():
    lengths = torch.tensor([0, 80, 85, 90, 100, 120], dtype=torch.float64)
    assert overlong(lengths, 100, 0.2).tolist() == pytest.approx([0.0, 0.0, -0.25, -0.5, -1.0, -1.0], rel=1e-12)


def test_the_loss_is_in_the_reward_in_the_last_turn_and_a_component():
    made = group([1.0, 0.0])
    sizes = [len(t.tokens) for t in made.trajectories]
    limit = max(sizes) + 1
    lost = [2.0 * min(0.0, (limit / 2 - size) / (limit / 2)) for size in sizes]
    before = make_batch([made])
    after = Overlong(share=0.5, penalty=2.0).shaped(before, limit)
    assert after.rewards.tolist() == pytest.approx([1.0 + lost[0], lost[1]], rel=1e-12)
    assert after.components["overlong"].tolist() == pytest.approx(lost, rel=1e-12)
    assert after.turn_rewards.tolist() == pytest.approx([0.0, 1.0 + lost[0], 0.0, lost[1]], rel=1e-12)


def test_an_episode_that_did_not_fit_is_at_the_limit_and_the_longest_part_counts():
    made = group([1.0, 1.0, 1.0])
    made.trajectories[0].stop = StopReason.EPISODE_LENGTH
    made.trajectories[2].sample, made.trajectories[2].part = 1, 1
    longest = max(len(t.tokens) for t in made.trajectories[1:])
    after = Overlong(share=1.0).shaped(make_batch([made]), 100)
    assert after.rewards.tolist() == pytest.approx([0.0, 2.0 - longest / 100], rel=1e-12)
    assert after.turn_rewards.tolist()[-3:] == pytest.approx([1.0, 0.0, 1.0 - longest / 100], rel=1e-12)


def test_without_a_share_nothing_changes():
    batch = make_batch([group([1.0, 0.0])])
    assert Overlong().shaped(batch, 5) is batch
    empty = make_batch([])
    assert Overlong(share=0.5).shaped(empty, 5) is empty
    with pytest.raises(ValueError, match="penalty has no effect with share=0"):
        Overlong(penalty=0.5)
