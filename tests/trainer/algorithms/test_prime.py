"""PRIME against its formulas in NumPy, and in a bandit with a process reward model of its own."""

import numpy as np
import pytest
import torch

from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens, make_batch
from agent_rl.trainer.algorithms.advantages import Prime, process_returns
from agent_rl.trainer.algorithms.objective import objective
from agent_rl.trainer.algorithms.process import process_loss

from .bandit import ARMS, CONTEXTS, RIGHT, TURNS, chosen, roll_out
from .conftest import group


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_process_rewards_are_summed_from_each_token_on_less_the_mean_of_the_others(gamma):
    rng = np.random.default_rng(0)
    lengths, groups = np.array([3, 1, 5, 4, 2, 6]), np.array([0, 1, 0, 1, 0, 2])
    episodes = [rng.normal(size=n) for n in lengths]
    expected = []
    for i, own in enumerate(episodes):
        others = [episodes[j].mean() for j in range(6) if groups[j] == groups[i] and j != i]
        base = np.mean(others) if others else own.mean()
        expected += [sum(gamma ** (s - t) * (own[s] - base) for s in range(t, len(own))) for t in range(len(own))]
    given = torch.from_numpy(np.concatenate(episodes)), torch.from_numpy(lengths), torch.from_numpy(groups), gamma
    assert process_returns(*given).numpy() == pytest.approx(np.array(expected), rel=1e-12, abs=1e-13)


def test_the_outcome_is_added_as_rloo_has_it():
    batch = make_batch([group([0.0, 1.0, 1.0]), group([4.0, 2.0], 1)])
    silent = batch.noted(process=torch.zeros(len(batch.turns), dtype=torch.float64))
    parts = Prime().advantages(silent).split(batch.lengths)
    assert [set(part.tolist()) for part in parts] == [{-1.0}, {0.5}, {0.5}, {2.0}, {-2.0}]
    outcomes = Prime().targets(silent)["outcome"].split(batch.lengths)
    assert [set(part.tolist()) for part in outcomes] == [{0.0}, {1.0}, {1.0}, {1.0}, {1.0}]


def test_the_model_learns_the_cross_entropy_of_outcomes():
    rng = np.random.default_rng(1)
    lengths, outcomes = [2, 5, 3], np.array([1.0, 0.0, 0.25])
    rewards = rng.normal(size=10)
    sums = np.array([part.sum() for part in np.split(rewards, [2, 7])])
    chance = 1 / (1 + np.exp(-sums))
    losses, right = process_loss(torch.from_numpy(rewards), torch.from_numpy(outcomes), lengths)
    expected = -outcomes * np.log(chance) - (1 - outcomes) * np.log(1 - chance)
    assert losses.numpy() == pytest.approx(expected, rel=1e-12)
    assert right.tolist() == [float((s > 0) == (o > 0.5)) for s, o in zip(sums, outcomes, strict=True)]


def test_an_empty_step_has_nothing_to_learn():
    batch = make_batch([]).noted(process=torch.zeros(0, dtype=torch.float64))
    assert Prime().advantages(batch).tolist() == []


def test_policy_and_process_model_learn_a_bandit_together():
    algorithm, generator = AlgorithmSettings(advantage="prime", samples=8), torch.Generator().manual_seed(0)
    shape = (CONTEXTS, TURNS, ARMS)
    logits, judged = (torch.zeros(shape, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.Adam([logits, judged], lr=0.1)
    reference = -float(np.log(ARMS))
    for _ in range(40):
        batch = make_batch(roll_out(logits, algorithm.samples, generator))
        process = 0.5 * (chosen(judged, batch) - reference)
        noted = batch.noted(process=process.detach())
        advantages, outcomes = algorithm.advantage.advantages(noted), (batch.rewards > 1.5).double()
        old = chosen(logits, batch).detach()
        result = objective(algorithm, Tokens(chosen(logits, batch), old, advantages, batch.lengths), None)
        optimizer.zero_grad()
        (result.loss.mean() + process_loss(process, outcomes, batch.lengths)[0].mean()).backward()
        optimizer.step()
    right = torch.tensor(RIGHT).unsqueeze(-1)
    for table in (logits, judged):
        assert float(table.detach().softmax(-1).gather(-1, right).mean()) > 0.6
    assert float(logits.detach().softmax(-1).gather(-1, right).mean()) > 0.9
