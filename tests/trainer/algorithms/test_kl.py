"""The KL to a reference: each estimator against its formula, as a loss and in the reward."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from agent_rl.trainer.algorithms import AlgorithmSettings, TokenLoss, Tokens, make_batch
from agent_rl.trainer.algorithms.kl import KlSettings, estimate
from agent_rl.trainer.algorithms.objective import objective

from .conftest import group
from .differentiate import differentiated, drawn


@pytest.mark.parametrize(
    ("estimator", "value", "derivative"),
    [
        ("k1", lambda g, r: g, lambda g, r: np.ones_like(g)),
        ("k2", lambda g, r: g**2 / 2, lambda g, r: g),
        ("k3", lambda g, r: np.exp(-g) - 1 + g, lambda g, r: 1 - np.exp(-g)),
        ("unbiased", lambda g, r: r * (np.exp(-g) - 1 + g), lambda g, r: r * g),
    ],
)
def test_each_estimator_has_the_value_and_the_gradient_of_its_formula(estimator, value, derivative):
    new, old, _ = drawn()
    reference = drawn(1)[0]
    given = torch.from_numpy(old), torch.from_numpy(reference)
    found = differentiated(lambda p: TokenLoss(estimate(estimator, p, *given), p), new)
    gap, ratio = new - reference, np.exp(new - old)
    assert found[0] == pytest.approx(value(gap, ratio), rel=1e-12, abs=1e-14)
    assert found[1] == pytest.approx(derivative(gap, ratio), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("estimator", "right"), [("k1", False), ("k2", False), ("k3", False), ("unbiased", True)])
def test_the_unbiased_one_alone_has_the_gradient_of_the_divergence_off_the_policy(estimator, right):
    rng = np.random.default_rng(0)
    logits, old, reference = (torch.from_numpy(rng.normal(size=5)) for _ in range(3))
    logits.requires_grad_()
    new, old, reference = (x.log_softmax(-1) for x in (logits, old, reference))
    (expected,) = torch.autograd.grad((new.exp() * (new - reference)).sum(), logits, retain_graph=True)
    mean = (old.exp() * estimate(estimator, new, old, reference)).sum()  # over all that the old policy may sample
    (found,) = torch.autograd.grad(mean, logits)
    assert bool((found - expected).abs().max() < 1e-12) is right


def test_in_the_loss_it_is_added_to_every_token_and_nothing_else_changes():
    new, old, advantages = (torch.from_numpy(x) for x in drawn())
    reference = torch.from_numpy(drawn(1)[0])
    tokens = Tokens(new, old, advantages, [60], {"reference": reference})
    algorithm = AlgorithmSettings(kl=KlSettings(coefficient=0.3, estimator="k2"))
    plain = objective(AlgorithmSettings(), tokens, None).loss
    assert torch.allclose(objective(algorithm, tokens, None).loss, plain + 0.15 * (new - reference) ** 2, rtol=1e-12)
    assert algorithm.dense and algorithm.needs == {"reference"}
    assert not AlgorithmSettings().dense and not AlgorithmSettings().needs


def test_in_the_reward_each_turn_and_each_episode_pays_for_its_tokens():
    batch = make_batch([group([0.0, 1.0, 1.0])])
    old = np.concatenate([t.action_logprobs for t in batch.trajectories])
    reference = np.random.default_rng(0).normal(-6.0, 0.5, size=len(old))
    noted = batch.noted(reference=torch.from_numpy(reference))
    algorithm = AlgorithmSettings(kl=KlSettings(coefficient=0.2, where="reward", estimator="k1"))
    charged = algorithm.settle(noted, 1000)
    paid, turns = 0.2 * (old - reference), batch.turns.numpy()
    expected = batch.turn_rewards.numpy() - [paid[turns == turn].sum() for turn in range(len(batch.turn_rewards))]
    assert charged.turn_rewards.numpy() == pytest.approx(expected, rel=1e-12)
    assert charged.rewards.numpy() == pytest.approx(expected.reshape(3, 2).sum(1), rel=1e-12)
    assert not algorithm.dense
    tokens = Tokens(*[torch.zeros(1)] * 3, [1], {"reference": torch.ones(1)})
    assert objective(algorithm, tokens, None).loss.item() == 0.0


@pytest.mark.parametrize("where", ["loss", "reward"])
def test_an_empty_step_has_nothing_to_pay(where):
    batch = make_batch([]).noted(reference=torch.zeros(0, dtype=torch.float64))
    assert len(AlgorithmSettings(kl=KlSettings(coefficient=1.0, where=where)).settle(batch, 1000).rewards) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"where": "reward"}, "no effect with coefficient=0"),
        ({"estimator": "k1"}, "no effect with coefficient=0"),
        ({"coefficient": 1.0, "where": "reward", "estimator": "unbiased"}, "is for where=loss"),
    ],
)
def test_settings_that_nothing_reads_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        KlSettings(**given)
