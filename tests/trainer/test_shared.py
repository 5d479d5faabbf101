"""Workers on groups: what their trajectories share is computed once, and changes nothing beyond rounding."""

import copy
import random
from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedModel

from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory
from agent_rl.models import attention
from agent_rl.models.packed import pack
from agent_rl.models.scratch import new_model
from agent_rl.trainer.algorithms import AlgorithmSettings, Batch, make_batch
from agent_rl.trainer.algorithms.values import ValueOptimizerSettings, ValueSettings
from agent_rl.trainer.batches import Sample, micro_batches, samples
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.workers import PolicyWorker, ReferenceWorker, ValueWorker
from tests.double import in_double

from .conftest import VOCABULARY, trajectory

WHOLE = 100_000
EACH = [(torch.float64, 1e-12, 90), (torch.float64, 1e-12, WHOLE), (torch.float32, 1e-5, WHOLE)]


@pytest.fixture
def tiny_model() -> PreTrainedModel:
    model = new_model(VOCABULARY, 2, 0, seed=11, layers=2, width=32).eval()
    model.set_attn_implementation(attention.NAME)
    return model


def words(rng: random.Random, count: int) -> tuple[int, ...]:
    return tuple(rng.randrange(VOCABULARY) for _ in range(count))


def begun(made: Trajectory, prompt: tuple[int, ...]) -> Trajectory:
    """Return the trajectory behind another prompt."""
    made.segments[0] = Segment(Origin.PROMPT, prompt)
    return made


def groups() -> list[Group]:
    """Return groups of many kinds, whose prompts all begin with the same tokens."""
    rng = random.Random(5)
    system = words(rng, 24)
    prompts = [system + words(rng, count) for count in (30, 30, 17, 40)]
    plain = Group("plain", [begun(trajectory(rng, i % 2, turns=1 + i % 3), prompts[0]) for i in range(5)])
    tied = Group("tied", [begun(trajectory(random.Random(3), i % 2), prompts[1]) for i in range(3)])  # the same tokens
    alone = Group("alone", [begun(trajectory(rng, 1.0), prompts[2])])
    differ = Group("differ", [begun(trajectory(rng, i % 2), prompts[3][: 45 + i]) for i in range(4)])
    parts = [begun(trajectory(rng, i % 2), prompts[0][: 40 + 5 * i]) for i in range(4)]
    rewritten = Group("rewritten", [replace(one, sample=i // 2, part=i % 2) for i, one in enumerate(parts)])
    made = [plain, tied, alone, differ, rewritten]
    for group in made[:-1]:
        group.trajectories = [replace(one, sample=i) for i, one in enumerate(group.trajectories)]
    return made


def batch() -> Batch:
    return make_batch(groups())


def learned() -> list[Sample]:
    made = batch()
    rng = torch.Generator().manual_seed(1)
    count = len(made.turns)
    notes = {name: torch.randn(count, generator=rng, dtype=torch.float64) for name in ("values", "returns")}
    return samples(made.noted(**notes), torch.randn(count, generator=rng, dtype=torch.float64))


def close(ours: torch.Tensor, expected: torch.Tensor, tolerance: float) -> bool:
    return bool((ours - expected).norm() <= tolerance * expected.norm() and expected.norm() > 0)


def of_type(model, dtype):
    return in_double(model) if dtype is torch.float64 else copy.deepcopy(model)


def first_moments(optimizer: torch.optim.Optimizer) -> torch.Tensor:
    """Return the gradient of the one update that there was, with beta1=0."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return torch.cat([optimizer.state[p]["exp_avg"].flatten() for p in parameters])


PLAIN = {"beta1": 0.0, "max_grad_norm": 1e9}


def policy_gradient(model, dtype, micro_tokens: int, algorithm: AlgorithmSettings) -> torch.Tensor:
    made = PolicyWorker(of_type(model, dtype), OptimizerSettings(**PLAIN), micro_tokens, 1.0)
    made.update(learned(), algorithm, 1)
    return first_moments(made.optimizer)


def value_gradient(model, dtype, micro_tokens: int) -> torch.Tensor:
    settings = ValueSettings(clip=None, optimizer=ValueOptimizerSettings(**PLAIN))
    made = ValueWorker(of_type(model, dtype), settings, micro_tokens)
    made.model.head.to(dtype)
    torch.nn.init.normal_(made.model.head.weight, generator=torch.Generator().manual_seed(2))
    made.update(learned(), 1)
    return first_moments(made.optimizer)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "micro_tokens"), [*EACH, (torch.float64, 1e-12, 150), (torch.float64, 1e-12, 400)]
)
def test_the_policys_gradient_is_that_of_each_sequence_alone(tiny_model, dtype, tolerance, micro_tokens):
    algorithm = AlgorithmSettings(entropy=0.01, aggregation="trajectory")
    alone, shared = (policy_gradient(tiny_model, dtype, size, algorithm) for size in (1, micro_tokens))
    assert close(shared, alone, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance", "micro_tokens"), EACH)
def test_the_value_models_gradient_is_that_of_each_sequence_alone(tiny_model, dtype, tolerance, micro_tokens):
    alone, shared = (value_gradient(tiny_model, dtype, size) for size in (1, micro_tokens))
    assert close(shared, alone, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance", "micro_tokens"), EACH)
def test_notes_are_those_of_each_sequence_alone(tiny_model, dtype, tolerance, micro_tokens):
    found = []
    for size in (1, micro_tokens):
        policy = PolicyWorker(of_type(tiny_model, dtype), OptimizerSettings(), size, 0.7)
        reference = ReferenceWorker(of_type(tiny_model, dtype), size, 0.7)
        value = ValueWorker(of_type(tiny_model, dtype), ValueSettings(), size)
        value.model.head.to(dtype)
        torch.nn.init.normal_(value.model.head.weight, generator=torch.Generator().manual_seed(2))
        noted = batch()
        for worker in (policy, reference, value):
            noted = worker.annotate(noted)
        found.append(noted.notes)
    for name in ("old", "reference", "values"):
        assert close(found[1][name], found[0][name], tolerance)


def test_a_group_stays_in_one_micro_batch_where_it_fits():
    def group(number: int) -> list[Sample]:
        rng = random.Random(number)
        prompt = words(rng, 40)
        made = [begun(trajectory(rng, 0.0, turns=1), prompt) for _ in range(4)]
        return [Sample(one, torch.ones(len(one.action_logprobs))) for one in made]

    made = [group(number) for number in range(6)]
    runs = micro_batches([sample for each in zip(*made, strict=True) for sample in each], 100)  # not side by side
    homes = [{next(i for i, run in enumerate(runs) if sample in run) for sample in each} for each in made]
    assert all(len(home) == 1 for home in homes) and len(runs) == 6


def test_micro_batches_hold_every_sample_once_and_count_what_is_shared_once():
    given = learned()
    for limit in (1, 60, 150, 400, WHOLE):
        runs = micro_batches(given, limit)
        assert sorted(id(sample) for run in runs for sample in run) == sorted(map(id, given))
        for run in runs:
            size = pack([(one.trajectory.tokens, one.trajectory.loss_mask) for one in run]).tokens.shape[1]
            assert size <= limit + 16 * len(run) or len(run) == 1  # what is too short to be laid apart comes on top
    assert len(micro_batches(given, WHOLE)) == 1


def test_a_group_that_is_too_large_is_cut():
    plain = learned()[:5]
    least = max(sample.size for sample in plain)
    runs = micro_batches(plain, least)
    assert 1 < len(runs) < 5
