"""LUFFY against its formula in NumPy; what a demonstration counts for, and where it does not."""

import copy

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.trajectory import Group
from agent_rl.rollout.feed import Rollout
from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens, make_batch
from agent_rl.trainer.algorithms.advantages import Grpo
from agent_rl.trainer.algorithms.losses import Clip, Luffy
from agent_rl.trainer.annotate import noted_metrics
from agent_rl.trainer.batches import samples
from agent_rl.trainer.metrics import rollout_metrics
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.workers import PolicyWorker

from .bandit import learn
from .conftest import group
from .differentiate import differentiated, drawn


def shown(rewards: list[float], reward: float, seed: int = 0, failed: bool = False) -> Group:
    """Return a group with a demonstration."""
    made, other = group(rewards, seed), group([reward], seed + 100).trajectories[0]
    other.sample = len(rewards)
    if failed:
        other.failure = InfrastructureError("engine", "gone").failure()
    return Group(made.task_id, made.trajectories, demonstration=[other])


def test_value_and_gradient_are_those_of_the_formula():
    new, old, advantages = drawn()
    guided = (np.random.default_rng(3).random(60) < 0.4).astype(float)
    notes = {"guided": torch.from_numpy(guided)}
    given = torch.from_numpy(old), torch.from_numpy(advantages), [60]
    loss, gradient = differentiated(lambda p: Luffy(gamma=0.2).loss(Tokens(p, *given, notes)), new)
    plain = differentiated(lambda p: Clip(clip_high=0.2).loss(Tokens(p, *given)), new)
    p = np.exp(new)
    assert loss == pytest.approx(np.where(guided, -p / (p + 0.2) * advantages, plain[0]), rel=1e-12)
    slope = -0.2 * p / (p + 0.2) ** 2 * advantages
    assert gradient == pytest.approx(np.where(guided, slope, plain[1]), rel=1e-12)


def test_a_demonstration_is_compared_with_the_samples_and_marked():
    batch = make_batch([shown([0.0, 0.0, 1.0], 1.0), group([0.0, 1.0], 1)])
    parts = Grpo(normalize=False).advantages(batch).split(batch.lengths)
    assert [set(part.tolist()) for part in parts[:4]] == [{-0.5}, {-0.5}, {0.5}, {0.5}]
    settled = AlgorithmSettings(loss="luffy").settle(batch, 1000)
    marks = settled.notes["guided"].split(batch.lengths)
    assert [set(part.tolist()) for part in marks] == [{0.0}, {0.0}, {0.0}, {1.0}, {0.0}, {0.0}]
    assert "guided" not in AlgorithmSettings().settle(batch, 1000).notes


def test_it_is_no_result_of_the_policy_and_a_failed_one_is_left_out_alone():
    groups = [shown([0.0, 0.0], 1.0), shown([0.0, 1.0], 1.0, 1, failed=True)]
    metrics = rollout_metrics(Rollout(groups, []), 0, 1.0)
    assert metrics["reward/mean"] == 0.25 and metrics["demonstration/reward"] == 1.0
    assert metrics["demonstration/failed"] == 1.0
    assert groups[0].informative and make_batch(groups).guided.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_engine_and_trainer_are_compared_by_what_was_sampled(small_model):
    batch, algorithm = make_batch([shown([0.0, 1.0], 1.0)]), AlgorithmSettings(loss="luffy")
    for segment in batch.trajectories[2].segments:
        object.__setattr__(segment, "logprobs", (0.0,) * len(segment.logprobs))
    alone = make_batch([Group("t", batch.trajectories[:2])])
    found = []
    for one in (batch, alone):
        worker = PolicyWorker(copy.deepcopy(small_model), OptimizerSettings(), 10_000, 1.0)
        settled = algorithm.settle(worker.annotate(one), 1000)
        recomputed = noted_metrics(settled)
        del settled.notes["old"]
        cut = samples(settled, torch.ones(len(one.turns), dtype=torch.float64))
        found.append((recomputed, worker.update(cut, algorithm, 1, measure=True)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert found[0][1]["mismatch/kl"] == pytest.approx(found[1][1]["mismatch/kl"], rel=1e-5)


def test_weights_of_its_own_and_a_correction_do_not_go_together():
    with pytest.raises(ValidationError, match=r"correction.weights cannot be used with loss=luffy"):
        AlgorithmSettings(loss="luffy", correction={"old": "trainer", "weights": "mask"})


def test_it_learns_a_bandit():
    assert learn(AlgorithmSettings(loss="luffy", samples=4)) > 0.9
