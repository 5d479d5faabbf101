"""The value worker: it begins at 0, learns what it is told, is cut into micro batches by rounding only, comes back."""

import copy
import random

import pytest
import torch

from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import Batch, make_batch
from agent_rl.trainer.algorithms.advantages import Gae
from agent_rl.trainer.algorithms.values import ValueOptimizerSettings, ValueSettings
from agent_rl.trainer.batches import Sample, samples
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.workers import ValueWorker

from .conftest import trajectory


def batch(count: int = 6) -> Batch:
    rng = random.Random(2)
    made = [trajectory(rng, rng.choice([0.0, 1.0]), turns=1 + i % 3) for i in range(count)]
    for sample, one in enumerate(made):
        one.sample = sample
    return make_batch([Group("t", made)])


def worker(model, micro_tokens: int = 10_000, clip: float | None = None, **optimizer) -> ValueWorker:
    settings = ValueSettings(clip=clip, optimizer=ValueOptimizerSettings(**optimizer))
    return ValueWorker(copy.deepcopy(model), settings, micro_tokens)


def lessons(made: ValueWorker) -> list[Sample]:
    noted, gae = made.annotate(batch()), Gae(value_lam=1.0)
    return samples(noted.noted(**gae.targets(noted)), gae.advantages(noted))


def weights(made: ValueWorker) -> list[torch.Tensor]:
    return [*made.model.parameters()]


def test_every_value_is_0_before_anything_is_learned(small_model):
    found = worker(small_model).annotate(batch()).notes["values"]
    assert found.dtype == torch.float64 and len(found) == sum(batch().lengths) and not found.any()
    assert len(worker(small_model).annotate(make_batch([])).notes["values"]) == 0


@pytest.mark.parametrize("micro_tokens", [1, 50])
def test_the_micro_batch_size_changes_values_and_gradient_by_rounding_only(small_model, micro_tokens):
    model, found = small_model.to(torch.float64), []
    for size in (10_000, micro_tokens):
        made = worker(model, size, clip=0.2, beta1=0.0, max_grad_norm=1e9, lr=1e-3)
        made.update(lessons(made), 2)
        made.update(lessons(made), 2)
        gradient = torch.cat([made.optimizer.state[p]["exp_avg"].flatten() for p in weights(made)])
        found.append((made.annotate(batch()).notes["values"], gradient))
    for whole, cut in zip(*found, strict=True):
        assert whole.abs().max() > 0 and (whole - cut).norm() / whole.norm() < 1e-9


def test_values_are_those_of_the_hidden_state_before_each_sampled_token(small_model):
    made = worker(small_model, lr=0.01)
    made.update(lessons(made), 1)
    expected = []
    for one in batch().trajectories:
        tokens = torch.tensor([one.tokens])
        states = made.model.decoder(input_ids=tokens, use_cache=False, segments=[len(one.tokens)]).last_hidden_state[0]
        values = made.model.head(states)[:, 0]
        expected += [float(values[i - 1].detach()) for i, sampled in enumerate(one.loss_mask) if sampled]
    assert made.annotate(batch()).notes["values"].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_it_learns_the_returns_and_says_how_well_it_foresees_them(small_model):
    made = worker(small_model, lr=1e-3)
    each = [made.update(lessons(made), 25) for _ in range(25)]
    assert each[-1]["value/loss"] < 0.3 * each[0]["value/loss"]
    assert each[0]["value/explained_variance"] == 0.0 and each[-1]["value/explained_variance"] > 0.5
    assert each[0]["value/grad_norm"] > 0


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(small_model):
    made = worker(small_model)
    before = [p.clone() for p in weights(made)]
    told = lessons(made)
    told[0].notes["returns"][0] = float("nan")
    assert made.update(told, 1)["value/skipped_updates"] == 1.0
    assert all(torch.equal(a, b) for a, b in zip(before, weights(made), strict=True))


def test_a_saved_state_continues_as_if_it_had_never_stopped(small_model, tmp_path):
    one = worker(small_model)
    one.update(lessons(one), 3)
    one.save(tmp_path)
    other = worker(small_model)
    other.load(tmp_path)
    assert one.update(lessons(one), 3) == other.update(lessons(other), 3)
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_a_damaged_state_is_one_clear_error(small_model, tmp_path):
    (tmp_path / "value.pt").write_bytes(b"not a state")
    with pytest.raises(UserError, match=r"value\.pt cannot be read"):
        worker(small_model).load(tmp_path)


def train(*words: str) -> TrainConfig:
    return validate(TrainConfig, compose("train", words))


def test_the_section_exists_only_where_the_algorithm_needs_values():
    assert train().value is None and train().policy_waits == 0
    config = train("algorithm=ppo", "value.optimizer.lr=0.01", "value.warmup=3")
    assert config.value is not None
    assert (config.value.optimizer.lr, config.policy_waits) == (0.01, 3)
    with pytest.raises(UserError, match=r"'value\.warmup' has no effect with algorithm\.advantage=grpo"):
        train("value.warmup=3")


def test_a_warm_up_that_leaves_the_policy_no_step_is_refused():
    with pytest.raises(UserError, match="leaves the policy none of 3 steps"):
        train("algorithm=ppo", "trainer.steps=3", "value.warmup=3")


def test_a_misspelt_setting_of_it_has_the_nearest_named():
    with pytest.raises(UserError, match=r"value\.warmup"):
        train("algorithm=ppo", "value.warmpu=3")
