"""The policy worker: micro batches change nothing, what has no gradient costs nothing, states come back."""

import copy
import random

import pytest
import torch

from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Trajectory
from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.batches import Sample, micro_batches, mini_batches
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers import PolicyWorker

from .conftest import trajectory

ALGORITHM = AlgorithmSettings()


def samples(count: int = 9) -> list[Sample]:
    rng = random.Random(1)
    return [sample(trajectory(rng, 0.0, turns=1 + i % 3), rng.uniform(-1, 1)) for i in range(count)]


def sample(trajectory: Trajectory, advantage: float) -> Sample:
    return Sample(trajectory, torch.full((len(trajectory.action_logprobs),), advantage, dtype=torch.float64))


def worker(model, micro_tokens: int = 10_000, **settings) -> PolicyWorker:
    return PolicyWorker(copy.deepcopy(model), OptimizerSettings(**settings), micro_tokens, 1.0)


def gradient(model, micro_tokens: int, batch: list[Sample]) -> torch.Tensor:
    """Return the gradient of one update, read off a plain SGD-like step: AdamW's first moment."""
    made = worker(model, micro_tokens, beta1=0.0, max_grad_norm=1e9)
    made.update(batch, ALGORITHM, 1)
    return torch.cat([made.optimizer.state[p]["exp_avg"].flatten() for p in made.model.parameters()])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("micro_tokens", [1, 40, 100])
def test_the_micro_batch_size_changes_the_gradient_by_rounding_only(small_model, dtype, tolerance, micro_tokens):
    model = small_model.to(dtype)
    whole, cut = gradient(model, 10_000, samples()), gradient(model, micro_tokens, samples())
    assert whole.abs().max() > 0
    assert (whole - cut).norm() / whole.norm() < tolerance


def test_layers_computed_twice_change_no_gradient(small_model):
    seen: list[bool] = []

    def told(made: PolicyWorker) -> torch.Tensor:
        seen.clear()
        projection = made.model.model.layers[0].self_attn.q_proj
        projection.register_forward_hook(lambda *_: seen.append(torch.is_grad_enabled()))
        made.update(samples(), ALGORITHM, 1)
        return torch.cat([made.optimizer.state[p]["exp_avg"].flatten() for p in made.model.parameters()])

    kept = told(worker(small_model))
    assert seen == [True]
    settings = WorkerSettings(recompute=True)
    again = PolicyWorker(copy.deepcopy(small_model), OptimizerSettings(), 10_000, 1.0, settings)
    assert torch.equal(told(again), kept)
    assert seen == [True, True]
    again.logprobs(samples())
    assert seen == [True, True, False]


def test_the_gradient_is_that_of_the_mean_over_tokens_of_the_plain_loss(small_model):
    model = small_model.to(torch.float64)
    batch = samples(4)
    total = sum(one.trained for one in batch)
    for one in batch:
        tokens = torch.tensor([one.trajectory.tokens])
        mask = torch.tensor(one.trajectory.loss_mask)
        logprobs = model(input_ids=tokens, use_cache=False, segments=[tokens.shape[1]]).logits[0].log_softmax(-1)
        chosen = logprobs[:-1].gather(1, tokens[0, 1:, None])[:, 0][mask[1:]]
        old = torch.tensor(one.trajectory.action_logprobs, dtype=torch.float64)
        ratio = (chosen - old).exp()
        loss = -torch.minimum(ratio * one.advantages, ratio.clamp(0.8, 1.28) * one.advantages)
        (loss.sum() / total).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert (gradient(small_model, 60, batch) - expected).norm() / expected.norm() < 1e-6


def test_samples_without_advantage_count_in_the_mean_but_are_not_computed(small_model):
    model = small_model.to(torch.float64)
    batch = samples()
    idle = [sample(one.trajectory, 0.0) for one in samples(3)]
    alone, beside = gradient(model, 10_000, batch), gradient(model, 10_000, batch + idle)
    share = sum(s.trained for s in batch) / sum(s.trained for s in batch + idle)
    assert (alone * share - beside).norm() / beside.norm() < 1e-6


def test_a_batch_without_any_advantage_moves_nothing(small_model):
    made = worker(small_model)
    before = [p.clone() for p in made.model.parameters()]
    metrics = made.update([sample(s.trajectory, 0.0) for s in samples(3)], ALGORITHM, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, made.model.parameters(), strict=True))
    assert metrics["policy/grad_norm"] == 0.0


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(small_model):
    made = worker(small_model)
    before = [p.clone() for p in made.model.parameters()]
    metrics = made.update([sample(samples(1)[0].trajectory, float("nan"))], ALGORITHM, 1)
    assert metrics["policy/skipped_updates"] == 1.0
    assert all(torch.equal(a, b) for a, b in zip(before, made.model.parameters(), strict=True))


def test_positive_advantage_makes_the_sampled_tokens_likelier(small_model):
    made = worker(small_model, lr=1e-3)
    good = [sample(samples(1)[0].trajectory, 1.0)]
    before = made.logprobs(good).sum()
    for _ in range(3):
        made.update(good, ALGORITHM, 3)
    assert made.logprobs(good).sum() > before


def test_a_saved_state_continues_as_if_it_had_never_stopped(small_model, tmp_path):
    one = worker(small_model)
    one.update(samples(), ALGORITHM, 4)
    one.save(tmp_path)
    other = PolicyWorker(copy.deepcopy(one.model), OptimizerSettings(), 10_000, 1.0)
    other.load(tmp_path)
    metrics = [made.update(samples(), ALGORITHM, 4) for made in (one, other)]
    assert metrics[0] == metrics[1]
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_a_damaged_state_is_one_clear_error(small_model, tmp_path):
    (tmp_path / "trainer.pt").write_bytes(b"not a state")
    with pytest.raises(UserError, match="cannot be read"):
        worker(small_model).load(tmp_path)


def test_mini_batches_take_an_equal_part_of_every_group():
    batch = samples(8)
    parts = mini_batches(batch, 2)
    assert [len(part) for part in parts] == [4, 4]
    assert parts[0] == batch[0::2]
    assert sorted(map(id, parts[0] + parts[1])) == sorted(map(id, batch))


def test_micro_batches_hold_every_sample_once_within_the_limit():
    batch = samples(20)
    runs = micro_batches(batch, 60)
    assert sorted(id(s) for run in runs for s in run) == sorted(map(id, batch))
    assert all(sum(s.size for s in run) <= 60 or len(run) == 1 for run in runs)
