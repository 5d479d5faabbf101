"""GAE against its recursion in plain Python, token by token; the episodes that it runs over; what the value learns."""

import random

import pytest
import torch

from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import Advantage, Batch, make_batch
from agent_rl.trainer.algorithms.advantages import AdaptiveGae, Gae, adaptive_lam, gae
from agent_rl.trainer.algorithms.losses import clip
from agent_rl.trainer.algorithms.values import explained_variance, value_loss

from ..conftest import trajectory
from .bandit import ARMS, CONTEXTS, RIGHT, TURNS, chosen, roll_out
from .conftest import group


def plain(values: list[float], rewards: list[float], gamma: float, lam: float) -> list[float]:
    """Return the advantages of one episode by the recursion as it is written."""
    found = [0.0] * len(values)
    later = 0.0
    for t in reversed(range(len(values))):
        following = values[t + 1] if t + 1 < len(values) else 0.0
        later = rewards[t] + gamma * following - values[t] + gamma * lam * later
        found[t] = later
    return found


def noted(batch: Batch, seed: int = 0) -> Batch:
    made = torch.Generator().manual_seed(seed)
    return batch.noted(values=torch.randn(len(batch.turns), generator=made, dtype=torch.float64))


def paid_by_turn(turns: int, seed: int) -> Group:
    rng = random.Random(seed)
    made = [trajectory(rng, 0.0, turns=turns) for _ in range(2)]
    for sample, one in enumerate(made):
        one.sample = sample
        for turn in one.turns:
            turn.reward = rng.uniform(-1, 1)
    return Group(f"t{seed}", made)


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (1.0, 0.95), (0.99, 0.9), (0.9, 0.0), (0.0, 1.0)])
def test_advantages_are_those_of_the_recursion(gamma, lam):
    rng = random.Random(0)
    lengths = [5, 1, 0, 17, 3]
    rows = [([rng.gauss(0, 1) for _ in range(n)], [rng.gauss(0, 1) for _ in range(n)]) for n in lengths]
    expected = [a for values, rewards in rows for a in plain(values, rewards, gamma, lam)]
    values, rewards = (torch.tensor([x for row in rows for x in row[i]], dtype=torch.float64) for i in (0, 1))
    found = gae(values, rewards, torch.tensor(lengths), gamma, torch.full((5,), lam, dtype=torch.float64))
    assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_each_episode_may_have_a_lam_of_its_own():
    lams = [0.2, 0.9]
    values = torch.arange(6, dtype=torch.float64)
    found = gae(values, values / 10, torch.tensor([4, 2]), 1.0, torch.tensor(lams, dtype=torch.float64))
    rows = zip([[0, 1, 2, 3], [4, 5]], lams, strict=True)
    expected = [a for values, lam in rows for a in plain(values, [x / 10 for x in values], 1.0, lam)]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_the_next_turn_follows_behind_its_observation_and_rewards_stand_at_the_last_token_of_their_turn():
    batch = noted(make_batch([paid_by_turn(3, 1), paid_by_turn(2, 2)]))
    expected = []
    for one, values in zip(batch.trajectories, batch.notes["values"].split(batch.lengths), strict=True):
        turns = one.action_turns
        last = [i + 1 == len(turns) or turns[i + 1] != turn for i, turn in enumerate(turns)]
        rewards = [one.turns[turn].reward if at_end else 0.0 for turn, at_end in zip(turns, last, strict=True)]
        expected += plain(values.tolist(), rewards, 0.99, 0.9)
    found = Gae(gamma=0.99, lam=0.9, whiten=False).advantages(batch)
    assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_an_episode_goes_on_across_its_parts():
    made = group([0.0, 1.0])
    made.trajectories[1].sample, made.trajectories[1].part = 0, 1
    batch = noted(make_batch([made]))
    assert len(batch.lengths) == 2 and batch.episode_lengths.tolist() == [sum(batch.lengths)]
    rewards = [0.0] * (sum(batch.lengths) - 1) + [1.0]
    expected = plain(batch.notes["values"].tolist(), rewards, 1.0, 0.9)
    assert Gae(lam=0.9, whiten=False).advantages(batch).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_with_a_lam_of_1_the_value_model_learns_the_reward_to_come():
    batch = noted(make_batch([group([0.0, 1.0, 0.5])]))
    returns = Gae(lam=0.9, value_lam=1.0).targets(batch)["returns"]
    assert returns.tolist() == pytest.approx(batch.by_episode(batch.rewards).tolist(), abs=1e-12)
    other = Gae(lam=0.9).targets(batch)["returns"] - batch.notes["values"]
    assert other.tolist() == pytest.approx(Gae(lam=0.9, whiten=False).advantages(batch).tolist(), abs=1e-12)


def test_the_adaptive_lam_grows_with_the_episode_and_is_never_below_0():
    assert adaptive_lam(torch.tensor([400, 40, 20, 5, 0]), 0.05).tolist() == pytest.approx([0.95, 0.5, 0, 0, 0])
    batch = noted(make_batch([group([0.0, 1.0])]))
    lam = 1 - 1 / (0.5 * batch.episode_lengths.double())
    expected = gae(batch.notes["values"], batch.token_rewards, batch.episode_lengths, 1.0, lam)
    assert torch.equal(AdaptiveGae(alpha=0.5, whiten=False).advantages(batch), expected)
    returns = AdaptiveGae(alpha=0.5).targets(batch)["returns"]
    assert returns.tolist() == pytest.approx(batch.by_episode(batch.rewards).tolist(), abs=1e-12)


def test_whitened_advantages_have_a_mean_of_0_and_a_deviation_of_1():
    batch = noted(make_batch([group([0.0, 1.0, 1.0])]))
    found, raw = (Gae(whiten=w).advantages(batch).numpy() for w in (True, False))
    assert found == pytest.approx((raw - raw.mean()) / (raw.std() + 1e-8), rel=1e-12)


def test_nothing_has_no_advantages_and_one_token_of_an_expected_reward_no_whitened_one():
    empty = noted(make_batch([]))
    assert Gae().advantages(empty).tolist() == [] and Gae().targets(empty)["returns"].tolist() == []
    same = torch.ones(1, dtype=torch.float64)
    assert gae(same, same, torch.tensor([1]), 1.0, same).tolist() == [0.0]


def test_the_value_loss_is_the_larger_of_the_free_and_the_clipped_one():
    values, old, returns = (torch.tensor(x, dtype=torch.float64) for x in ([0.5, 0.1, 0.9], [0.0] * 3, [1.0, 1.0, 0.0]))
    assert value_loss(values, old, returns, None).tolist() == pytest.approx([0.125, 0.405, 0.405], rel=1e-12)
    assert value_loss(values, old, returns, 0.2).tolist() == pytest.approx([0.32, 0.405, 0.405], rel=1e-12)


def test_the_gradient_of_a_value_is_cut_where_it_moved_too_far_towards_its_return():
    values = torch.tensor([0.5, -0.5, 0.1], requires_grad=True)
    value_loss(values, torch.zeros(3), torch.ones(3), 0.2).sum().backward()
    assert (values.grad == 0).tolist() == [True, False, False]


def test_explained_variance_is_1_for_what_is_foreseen_0_for_a_constant_and_nothing_where_nothing_varies():
    returns = torch.tensor([0.0, 1.0, 0.5])
    assert explained_variance(returns, returns) == 1.0
    assert explained_variance(torch.full((3,), 7.0), returns) == pytest.approx(0.0, abs=1e-6)
    assert explained_variance(returns, torch.ones(3)) is None
    assert explained_variance(torch.zeros(0), torch.zeros(0)) is None


@pytest.mark.parametrize("advantage", [Gae(), Gae(lam=0.5, value_lam=1.0), AdaptiveGae(alpha=1.0)])
def test_it_learns_a_bandit_and_the_values_of_its_turns_beside(advantage: Advantage):
    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(CONTEXTS, TURNS, ARMS, dtype=torch.float64, requires_grad=True)
    table = torch.zeros(CONTEXTS, TURNS, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits, table], lr=0.1)
    for _ in range(40):
        batch = make_batch(roll_out(logits, 8, generator))
        contexts = [int(one.task_id.split()[1]) for one in batch.trajectories for _ in one.turns]
        turns = [number for one in batch.trajectories for number in range(len(one.turns))]
        batch = batch.noted(values=table[contexts, turns].detach())
        batch = batch.noted(old=chosen(logits, batch).detach(), **advantage.targets(batch))
        for _ in range(2):
            policy = clip(chosen(logits, batch), batch.notes["old"], advantage.advantages(batch), 0.2, 0.2).loss
            value = value_loss(table[contexts, turns], batch.notes["values"], batch.notes["returns"], 0.2)
            optimizer.zero_grad()
            (policy.mean() + value.mean()).backward()
            optimizer.step()
    assert float(logits.detach().softmax(-1).gather(-1, torch.tensor(RIGHT).unsqueeze(-1)).mean()) > 0.9
    assert table[:, 0].tolist() == pytest.approx([2.0] * CONTEXTS, abs=0.4)
    assert table[:, 1].tolist() == pytest.approx([1.0] * CONTEXTS, abs=0.3)
