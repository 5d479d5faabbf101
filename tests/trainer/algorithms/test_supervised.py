"""The supervised term against its formula in NumPy, whatever averages the policy loss, and in a bandit."""

import copy

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.algorithms.aggregation import weights
from agent_rl.trainer.algorithms.supervised import supervised_weights
from agent_rl.trainer.annotate import noted_metrics
from agent_rl.trainer.batches import samples
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.workers import PolicyWorker

from .conftest import group

RULES = ["token", "sequence", "trajectory", "dr_grpo"]


@pytest.mark.parametrize("aggregation", RULES)
def test_it_is_the_mean_over_the_tokens_of_successful_episodes(aggregation):
    rng = np.random.default_rng(0)
    lengths, episodes, good = [3, 5, 2, 7], [0, 0, 1, 2], np.array([1.0, 1.0, 0.0, 1.0])
    factors, divisor = weights(aggregation, lengths, episodes, 11)
    spread, successful = (np.repeat(x, lengths) for x in (factors.numpy(), good))
    logprobs = rng.normal(-2.0, 1.0, size=sum(lengths))
    found = supervised_weights(0.1, torch.from_numpy(successful), torch.from_numpy(spread), divisor).numpy()
    loss = np.sum(spread * found * -logprobs) / divisor
    assert loss == pytest.approx(0.1 * np.mean(-logprobs[successful == 1]), rel=1e-12)


def test_without_a_success_nothing_is_added():
    assert not supervised_weights(0.1, torch.zeros(4), torch.ones(4), 4.0).any()
    assert supervised_weights(0.1, torch.zeros(0), torch.ones(0), 1.0).tolist() == []


def test_success_is_what_the_environment_gave_before_anything_is_taken_off():
    batch = make_batch([group([0.0, 1.0, 2.0])]).noted(reference=torch.zeros(0))
    batch = batch.noted(reference=batch.engine_logprobs - 5.0)
    given = {"weight": 0.1, "success_at": 1.0}
    algorithm = AlgorithmSettings(
        supervised=given, overlong={"share": 1.0}, kl={"coefficient": 1.0, "where": "reward", "estimator": "k1"}
    )
    settled = algorithm.settle(batch, 10)
    assert (settled.rewards < 1.0).all()
    parts = settled.notes["successful"].split(batch.lengths)
    assert [set(part.tolist()) for part in parts] == [{0.0}, {1.0}, {1.0}]
    share = sum(batch.lengths[1:]) / sum(batch.lengths)
    assert noted_metrics(settled)["supervised/share"] == pytest.approx(share)
    assert "successful" not in AlgorithmSettings().settle(batch, 10).notes


@pytest.mark.parametrize("aggregation", RULES)
def test_the_gradient_is_that_of_the_mean_also_where_all_advantages_are_zero(small_model, aggregation):
    model = small_model.to(torch.float64)
    batch, gradients = make_batch([group([1.0, 1.0, 1.0]), group([0.0, 0.0], 1)]), []
    algorithm = AlgorithmSettings(supervised={"weight": 0.3}, aggregation=aggregation)
    settled = algorithm.settle(batch, 1000)
    for micro_tokens in (10_000, 1):
        settings = OptimizerSettings(beta1=0.0, max_grad_norm=1e9)
        learner = PolicyWorker(copy.deepcopy(model), settings, micro_tokens, 1.0)
        metrics = learner.update(samples(settled, algorithm.advantage.advantages(settled)), algorithm, 1)
        moments = [learner.optimizer.state[p]["exp_avg"].flatten() for p in learner.model.parameters()]
        gradients.append(torch.cat(moments))
    losses = []
    for one in batch.trajectories[:3]:
        tokens, mask = torch.tensor([one.tokens]), torch.tensor(one.loss_mask)
        logits = model(input_ids=tokens, use_cache=False, segments=[tokens.shape[1]]).logits[0, :-1]
        losses.append(-logits.log_softmax(-1).gather(1, tokens[0, 1:, None])[:, 0][mask[1:]])
    loss = 0.3 * torch.cat(losses).mean()
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
    for found in gradients:
        assert (found - expected).norm() / expected.norm() < 1e-12
    assert metrics["policy/loss"] == pytest.approx(loss.item(), rel=1e-12)


def test_a_threshold_that_nothing_reads_is_refused():
    with pytest.raises(ValidationError, match="no effect with weight=0"):
        AlgorithmSettings(supervised={"success_at": 0.5})


def test_vapo_is_what_its_paper_puts_together():
    config = validate(TrainConfig, compose("train", ["algorithm=vapo"]))
    algorithm = config.algorithm
    assert (algorithm.advantage.name, algorithm.loss.name) == ("gae_adaptive", "clip")
    assert (algorithm.supervised.weight, algorithm.loss.clip_high, algorithm.aggregation) == (0.1, 0.28, "token")
    assert config.value is not None and algorithm.needs == {"values"}
