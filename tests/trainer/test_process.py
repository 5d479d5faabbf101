"""The process reward worker: what it notes, what it learns, whatever the micro batches, and its state."""

import copy
import random

import pytest
import torch
from transformers import PreTrainedModel

from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import AlgorithmSettings, Batch, make_batch
from agent_rl.trainer.algorithms.process import ProcessSettings
from agent_rl.trainer.annotate import annotate
from agent_rl.trainer.batches import Sample, samples
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.workers import ProcessWorker, ReferenceWorker

from .conftest import trajectory

ALGORITHM = AlgorithmSettings(advantage="prime")


def worker(model: PreTrainedModel, micro_tokens: int = 10_000, lr: float = 1e-3, beta1: float = 0.9) -> ProcessWorker:
    settings = ProcessSettings(optimizer=OptimizerSettings(lr=lr, beta1=beta1, max_grad_norm=1e9))
    return ProcessWorker(copy.deepcopy(model), settings, micro_tokens, 0.7)


def lessons(made: ProcessWorker, reference: PreTrainedModel) -> tuple[Batch, list[Sample]]:
    rng = random.Random(5)
    played = [trajectory(rng, float(i % 2), turns=1 + i % 3) for i in range(6)]
    for sample, one in enumerate(played):
        one.sample = sample
    batch = annotate(make_batch([Group("t", played)]), [ReferenceWorker(copy.deepcopy(reference), 1000, 0.7), made])
    settled = ALGORITHM.settle(batch, 1000)
    return settled, samples(settled, ALGORITHM.advantage.advantages(settled))


def test_before_it_has_learned_it_says_nothing_of_any_token(small_model):
    batch, _ = lessons(worker(small_model), small_model)
    assert not batch.notes["process"].any()


def test_a_token_is_worth_its_log_ratio_to_the_reference(small_model):
    model, other = small_model.to(torch.float64), copy.deepcopy(small_model)
    with torch.no_grad():
        next(iter(other.parameters())).mul_(1.3)
    batch, _ = lessons(worker(other), model)
    expected = []
    for one in batch.trajectories:
        tokens, mask = torch.tensor([one.tokens]), torch.tensor(one.loss_mask)[1:]
        ratio = 0.0
        for sign, judge in ((1, other), (-1, model)):
            logits = judge(input_ids=tokens, use_cache=False, segments=[tokens.shape[1]]).logits[0, :-1] / 0.7
            ratio = ratio + sign * logits.log_softmax(-1).gather(1, tokens[0, 1:, None])[:, 0][mask]
        expected += (0.05 * ratio).tolist()
    assert batch.notes["process"].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_the_micro_batch_size_changes_no_gradient(small_model):
    model, gradients = small_model.to(torch.float64), []
    for micro_tokens in (10_000, 1):
        made = worker(model, micro_tokens, beta1=0.0)
        made.update(lessons(made, model)[1], 1)
        gradients.append(torch.cat([made.optimizer.state[p]["exp_avg"].flatten() for p in made.model.parameters()]))
    assert gradients[0].abs().max() > 0
    assert (gradients[0] - gradients[1]).norm() / gradients[0].norm() < 1e-12


def test_it_learns_which_episodes_succeed(small_model):
    made = worker(small_model)
    each = [made.update(lessons(made, small_model)[1], 25) for _ in range(25)]
    assert each[-1]["process/loss"] < 0.5 * each[0]["process/loss"] and each[-1]["process/accuracy"] == 1.0
    batch, _ = lessons(made, small_model)
    sums = [float(part.sum()) for part in batch.notes["process"].split(batch.lengths)]
    assert [total > 0 for total in sums] == [reward > 0.5 for reward in batch.rewards.tolist()]


def test_a_saved_state_continues_as_if_it_had_never_stopped(small_model, tmp_path):
    one, other = worker(small_model), worker(small_model)
    one.update(lessons(one, small_model)[1], 3)
    one.save(tmp_path)
    other.load(tmp_path)
    assert one.update(lessons(one, small_model)[1], 3) == other.update(lessons(other, small_model)[1], 3)
    pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    (tmp_path / "process.pt").write_bytes(b"not a state")
    with pytest.raises(UserError, match="process reward model's state"):
        other.load(tmp_path)


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(small_model):
    made = worker(small_model)
    _, told = lessons(made, small_model)
    told[0].notes["outcome"][0] = float("nan")
    assert made.update(told, 1)["process/skipped_updates"] == 1.0 == made.skipped
    assert made.update([], 1)["process/loss"] == 0.0


def test_the_section_exists_only_where_the_algorithm_needs_it():
    def train(*words: str) -> TrainConfig:
        return validate(TrainConfig, compose("train", words))

    assert train().process is None and train("algorithm=prime").value is None
    config = train("algorithm=prime", "process.beta=0.1")
    assert config.process is not None and config.process.beta == 0.1
    with pytest.raises(UserError, match=r"'process\.beta' has no effect with algorithm\.advantage=grpo"):
        train("process.beta=0.1")
