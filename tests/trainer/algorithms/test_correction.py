"""Off-policy correction: weights of tokens, turns and sequences against their formulas, computed in NumPy."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from agent_rl.trainer.algorithms import AlgorithmSettings, Batch, Tokens, make_batch
from agent_rl.trainer.algorithms.correction import CorrectionSettings
from agent_rl.trainer.algorithms.losses import Clip
from agent_rl.trainer.algorithms.objective import objective

from .conftest import group
from .differentiate import drawn


def corrected(**settings) -> tuple[np.ndarray, np.ndarray, Batch]:
    """Return the weights, the log-ratios of trainer and engine, and the batch."""
    batch = make_batch([group([0.0, 1.0]), group([1.0, 0.0], 1)])
    engine = batch.engine_logprobs.numpy()
    old = engine + np.random.default_rng(0).normal(0.0, 0.4, size=len(engine))
    chosen = AlgorithmSettings(correction=CorrectionSettings(old="trainer", **settings))
    weighed = chosen.settle(batch.noted(old=torch.from_numpy(old)), 1000)
    return weighed.notes["correction"].numpy(), old - engine, batch


@pytest.mark.parametrize("weights", ["truncate", "mask"])
@pytest.mark.parametrize("level", ["token", "turn", "sequence"])
def test_weights_are_products_over_their_level_and_bounded(weights, level):
    found, gap, batch = corrected(weights=weights, level=level, low=0.7, high=1.4)
    turns = batch.turns.numpy()
    places = {"token": np.arange(len(gap)), "turn": turns, "sequence": batch.turn_trajectories.numpy()[turns]}[level]
    plain = np.array([np.prod(np.exp(gap[places == place])) for place in places])
    inside = (plain >= 0.7) & (plain <= 1.4)
    expected = np.clip(plain, 0.7, 1.4) if weights == "truncate" else np.where(inside, plain, 0.0)
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0 < inside.sum() < len(inside)


def test_a_sequence_far_off_is_bounded_or_masked_whatever_its_length():
    for weights, expected in (("truncate", 2.0), ("mask", 0.0)):
        settings = CorrectionSettings(old="trainer", weights=weights, level="sequence")
        batch = make_batch([group([0.0, 1.0])])
        weighed = settings.weigh(batch.noted(old=batch.engine_logprobs + 1000.0))
        assert weighed.notes["correction"].tolist() == [expected] * len(batch.turns)


def test_the_weights_multiply_the_policy_loss():
    new, old, advantages = (torch.from_numpy(x) for x in drawn())
    weights = torch.linspace(0, 2, 60, dtype=torch.float64)
    plain = objective(AlgorithmSettings(), Tokens(new, old, advantages, [60]), None)
    found = objective(AlgorithmSettings(), Tokens(new, old, advantages, [60], {"correction": weights}), None)
    assert torch.equal(found.loss, weights * plain.loss)


def test_without_bounds_it_is_decoupled_ppo():
    behaviour, advantages = drawn(1)[1:]
    new, proximal, _ = drawn()
    settings = CorrectionSettings(old="trainer", weights="truncate", high=float("inf"))
    batch = make_batch([])
    assert settings.weigh(batch.noted(old=torch.zeros(0, dtype=torch.float64))).notes["correction"].shape == (0,)
    weights = torch.from_numpy(np.exp(proximal - behaviour))
    tokens = Tokens(*(torch.from_numpy(x) for x in (new, proximal, advantages)), [60], {"correction": weights})
    ratio = np.exp(new - proximal)
    surrogate = np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.28) * advantages)
    found = objective(AlgorithmSettings(loss=Clip()), tokens, None).loss.numpy()
    assert found == pytest.approx(-np.exp(proximal) / np.exp(behaviour) * surrogate, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weights": "mask"}, "no effect with old=engine"),
        ({"high": 3.0}, "high has no effect with weights=none"),
        ({"old": "trainer", "level": "turn"}, "level has no effect with weights=none"),
        ({"old": "trainer", "weights": "mask", "low": 3.0}, "is above"),
    ],
)
def test_settings_that_nothing_reads_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        CorrectionSettings(**given)


def test_recomputed_log_probabilities_are_asked_for():
    assert AlgorithmSettings(correction=CorrectionSettings(old="trainer")).needs == {"old"}
