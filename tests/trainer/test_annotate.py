"""Workers note what an algorithm needs; engine and trainer are compared; what cannot be learned from has a budget."""

import copy
import logging
import random

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import LOSSES, AlgorithmSettings, Batch, make_batch
from agent_rl.trainer.algorithms.correction import CorrectionSettings
from agent_rl.trainer.algorithms.kl import KlSettings
from agent_rl.trainer.annotate import annotate, make_learners, make_references, noted_metrics
from agent_rl.trainer.batches import samples
from agent_rl.trainer.mismatch import Alarm, mismatch
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import notes_of
from agent_rl.trainer.workers import PolicyWorker, ProcessWorker, ReferenceWorker, ValueWorker

from .conftest import trajectory


def step(count: int = 6) -> Batch:
    """Return the episodes of a step, of different lengths."""
    rng = random.Random(5)
    made = [trajectory(rng, float(i % 2), turns=1 + i % 3) for i in range(count)]
    for sample, one in enumerate(made):
        one.sample = sample
    return make_batch([Group("t", made)])


def policy(model: PreTrainedModel, micro_tokens: int = 10_000) -> PolicyWorker:
    settings = OptimizerSettings(beta1=0.0, max_grad_norm=1e9)
    return PolicyWorker(copy.deepcopy(model), settings, micro_tokens, 0.7)


def one_by_one(model: PreTrainedModel, batch: Batch, temperature: float) -> list[float]:
    """Return the log-probability of each trained token, from a plain forward pass over each trajectory."""
    found: list[float] = []
    for one in batch.trajectories:
        tokens, mask = torch.tensor([one.tokens]), torch.tensor(one.loss_mask)
        logits = model(input_ids=tokens, use_cache=False, segments=[tokens.shape[1]]).logits[0, :-1] / temperature
        chosen = logits.log_softmax(-1).gather(1, tokens[0, 1:, None])[:, 0]
        found += chosen[mask[1:]].tolist()
    return found


@pytest.mark.parametrize("micro_tokens", [1, 60, 10_000])
def test_notes_lie_in_the_order_of_the_batch_whatever_the_micro_batches(small_model, micro_tokens):
    batch, model = step(), small_model.to(torch.float64)
    workers = [ReferenceWorker(copy.deepcopy(model), micro_tokens, 0.7), policy(model, micro_tokens)]
    notes = annotate(batch, workers).notes
    expected = one_by_one(model, batch, 0.7)
    assert notes["reference"].tolist() == pytest.approx(expected, rel=1e-12)
    assert notes["old"].tolist() == pytest.approx(expected, rel=1e-12)


def test_an_empty_step_has_empty_notes(small_model):
    noted = annotate(make_batch([]), [ReferenceWorker(small_model, 100, 1.0), policy(small_model)])
    assert noted.notes["reference"].shape == noted.notes["old"].shape == (0,)
    assert noted_metrics(noted) == {}


def test_the_reference_stays_the_first_model(small_model):
    worker, learner = ReferenceWorker(copy.deepcopy(small_model), 1000, 1.0), policy(small_model)
    batch = annotate(step(), [worker])
    first = batch.notes["reference"]
    algorithm = AlgorithmSettings(kl=KlSettings(coefficient=0.1))
    learner.update(samples(batch, algorithm.advantage.advantages(batch)), algorithm, 2)
    assert torch.equal(annotate(step(), [worker]).notes["reference"], first)
    assert not torch.allclose(learner.logprobs(samples(step(), torch.zeros(len(first)))), first)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"kl": KlSettings(coefficient=0.1)}, [ReferenceWorker]),
        ({"correction": CorrectionSettings(old="trainer")}, [PolicyWorker]),
        ({"advantage": {"name": "gae"}}, [ValueWorker]),
        ({"advantage": {"name": "prime"}}, [ReferenceWorker, ProcessWorker]),
    ],
)
def test_only_workers_that_are_needed_are_made(small_model, settings, expected):
    config = TrainConfig(algorithm=AlgorithmSettings(**settings))
    learner = policy(small_model)
    made = notes_of(config, learner, make_references(config, learner), make_learners(config))
    assert [type(worker) for worker in made] == expected


ALGORITHMS = {name: AlgorithmSettings(loss={"name": name}, aggregation="sequence") for name in LOSSES} | {
    "entropy, KL and correction": AlgorithmSettings(
        entropy=0.1,
        kl=KlSettings(coefficient=0.1, estimator="unbiased"),
        correction=CorrectionSettings(old="trainer", weights="truncate", level="turn"),
    ),
    "clip_cov of many": AlgorithmSettings(loss={"name": "clip_cov", "share": 0.2, "cov_low": 0.0}),
    "kl_cov of many": AlgorithmSettings(loss={"name": "kl_cov", "share": 0.2}),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_micro_batch_size_changes_no_gradient(small_model, name):
    model, algorithm = small_model.to(torch.float64), ALGORITHMS[name]
    reference = copy.deepcopy(model)
    with torch.no_grad():
        next(iter(reference.parameters())).mul_(1.5)
    first = annotate(step(), [ReferenceWorker(reference, 1000, 0.7), policy(model)])
    off = first.notes["old"] + torch.linspace(-0.3, 0.3, len(first.turns), dtype=torch.float64)
    batch = algorithm.settle(first.noted(old=off), 1000)
    gradients = []
    for micro_tokens in (10_000, 1):
        learner = policy(model, micro_tokens)
        learner.update(samples(batch, algorithm.advantage.advantages(batch)), algorithm, 1)
        moments = [learner.optimizer.state[p]["exp_avg"].flatten() for p in learner.model.parameters()]
        gradients.append(torch.cat(moments))
    assert gradients[0].abs().max() > 0
    assert (gradients[0] - gradients[1]).norm() / gradients[0].norm() < 1e-12


def test_the_mismatch_is_what_its_figures_say():
    gap = np.array([0.0, 0.1, -1.0, 0.9])
    found = mismatch(torch.from_numpy(gap))
    assert found["mismatch/kl"] == pytest.approx(np.mean(np.exp(gap) - 1 - gap), rel=1e-12)
    assert found["mismatch/log_ratio"] == pytest.approx(0.5)
    assert found["mismatch/ratio_max"] == pytest.approx(np.exp(0.9))
    assert found["mismatch/outside"] == 0.5


def test_it_is_the_same_from_the_first_mini_batch_and_from_recomputed_log_probabilities(small_model):
    model, batch, algorithm = small_model.to(torch.float64), step(), AlgorithmSettings()
    learner = policy(model)
    recomputed = noted_metrics(learner.annotate(batch))
    cut = samples(batch, torch.ones(len(batch.turns), dtype=torch.float64))
    measured = learner.update(cut, algorithm, 1, measure=True)
    assert "mismatch/kl" not in learner.update(cut, algorithm, 1)
    assert {name: measured[name] for name in recomputed} == pytest.approx(recomputed, rel=1e-9)


def test_the_alarm_is_told_once(caplog):
    alarm = Alarm(0.1)
    with caplog.at_level(logging.WARNING):
        for number, seen in enumerate([0.05, 0.2, 0.3], 1):
            alarm.check(number, {"mismatch/log_ratio": seen})
    assert [record.getMessage()[:7] for record in caplog.records] == ["step 2:"]


def test_notes_say_how_far_the_policy_is_from_the_reference_and_what_was_masked():
    batch = step()
    old = batch.engine_logprobs
    notes = {"reference": old - 0.5, "old": old, "correction": torch.zeros_like(old)}
    found = noted_metrics(batch.noted(**notes))
    assert found["policy/reference_kl"] == pytest.approx(np.exp(-0.5) - 1 + 0.5)
    assert (found["correction/weight_mean"], found["correction/masked"], found["mismatch/kl"]) == (0.0, 1.0, 0.0)
