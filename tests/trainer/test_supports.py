"""top_p and top_k: what a token was drawn from travels with it, and ratios are taken among the same tokens."""

import asyncio
import copy

import numpy as np
import pytest
import torch

from agent_rl.config.compose import compose
from agent_rl.config.validate import validate
from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Group, Origin, Segment, Support, Trajectory, Turn
from agent_rl.models.packed import kept_mass
from agent_rl.rollout.engines import Request, Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine, EmbeddedSettings
from agent_rl.rollout.engines.embedded.sampling import draw
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.annotate import annotate, noted_metrics
from agent_rl.trainer.batches import samples
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.weights import PolicyWeights
from agent_rl.trainer.workers import PolicyWorker, ReferenceWorker

CUT = Sampling(temperature=0.7, top_p=0.6, top_k=20)


@pytest.fixture
def rolled_out(small_model) -> list[Trajectory]:
    """Return episodes of one turn that the embedded engine drew with `CUT`."""
    engine = EmbeddedEngine(copy.deepcopy(small_model), EmbeddedSettings(rows=8))
    prompts = [[5 + i, 7, 9, 11] for i in range(4)]

    async def generate() -> list:
        await engine.start()
        await engine.update_weights(PolicyWeights(0, small_model))
        for i in range(4):
            engine.open(str(i))
        requests = [Request(f"{i}/0", str(i), p, 12, frozenset(), 3 + i, CUT) for i, p in enumerate(prompts)]
        try:
            return await asyncio.gather(*(engine.generate(request) for request in requests))
        finally:
            await engine.stop()

    made = []
    for i, said in enumerate(asyncio.run(generate())):
        action = Segment(
            Origin.ACTION, tuple(said.tokens), tuple(said.logprobs), (0,) * 12, supports=tuple(said.supports)
        )
        prompt = Segment(Origin.PROMPT, tuple(prompts[i]))
        made.append(Trajectory("t", i, segments=[prompt, action], turns=[Turn(float(i % 2))]))
    return made


def worker(model, micro_tokens: int = 10_000) -> PolicyWorker:
    settings = OptimizerSettings(beta1=0.0, max_grad_norm=1e9)
    return PolicyWorker(copy.deepcopy(model), settings, micro_tokens, CUT.temperature)


def test_a_draw_says_what_it_was_drawn_from():
    logits = torch.tensor([[2.0, 1.0, 0.5, -1.0, -30.0]]).expand(4, -1)
    samplings = [Sampling(top_k=2), Sampling(top_p=0.85), Sampling(), Sampling(temperature=0.0, top_k=2)]
    _, logprobs, supports = draw(logits, samplings, [0.1] * 4)
    probabilities = logits[0].double().softmax(-1)
    assert [support and support.tokens for support in supports] == [(0, 1), (0, 1, 2), None, None]
    assert supports[0].mass == pytest.approx(probabilities[:2].sum().log().item(), abs=1e-6)
    assert supports[1].mass == pytest.approx(probabilities[:3].sum().log().item(), abs=1e-6)
    assert logprobs[0] == logprobs[2]  # before anything was left out


def test_the_mass_and_its_gradient_are_those_of_a_masked_softmax():
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(3, 9)), requires_grad=True)
    kept = [[1, 4, 8], [], [0, 2]]
    mask = torch.full((3, 9), -torch.inf, dtype=torch.float64)
    for row, tokens in enumerate(kept):
        mask[row, tokens or list(range(9))] = 0.0
    logprobs = logits.log_softmax(-1)
    found = logprobs[range(3), [4, 3, 0]] - kept_mass(logprobs, kept)
    expected = (logits + mask).log_softmax(-1)[range(3), [4, 3, 0]]
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    ours, true = (torch.autograd.grad(x.sum(), logits, retain_graph=True)[0] for x in (found, expected))
    assert torch.allclose(ours, true, rtol=1e-12, atol=1e-14)


def test_ratios_among_the_kept_tokens_are_one_on_average_and_others_are_not():
    rng = np.random.default_rng(1)
    old, new = (torch.from_numpy(rng.normal(size=(1, 30))).log_softmax(-1) for _ in range(2))
    kept = old[0].topk(8).indices.tolist()
    drawn = (old[0, kept] - kept_mass(old, [kept])).exp()
    right = (new[0, kept] - kept_mass(new, [kept])) - (old[0, kept] - kept_mass(old, [kept]))
    assert float((drawn * right.exp()).sum()) == pytest.approx(1.0, rel=1e-12)
    assert abs(float((drawn * (new - old)[0, kept].exp()).sum()) - 1.0) > 0.05


@pytest.mark.parametrize("micro_tokens", [1, 10_000])
def test_the_trainer_has_the_log_probabilities_that_the_engine_drew_with(small_model, rolled_out, micro_tokens):
    assert all(1 <= len(support.tokens) <= 20 for t in rolled_out for support in t.action_supports)
    learner, batch = worker(small_model, micro_tokens), make_batch([Group("t", rolled_out)])
    noted = annotate(batch, [learner, ReferenceWorker(copy.deepcopy(small_model), micro_tokens, CUT.temperature)])
    assert noted.notes["old"].tolist() == pytest.approx(batch.engine_logprobs.tolist(), abs=1e-4)
    assert torch.allclose(noted.notes["reference"], noted.notes["old"], atol=1e-6)
    assert noted_metrics(noted)["mismatch/log_ratio"] < 1e-5
    measured = learner.update(
        samples(batch, torch.ones(len(batch.turns), dtype=torch.float64)), AlgorithmSettings(), 1, measure=True
    )
    assert measured["mismatch/log_ratio"] < 1e-5
    raw = [logprob for t in rolled_out for logprob in t.action_logprobs]
    assert np.mean(np.abs(np.array(raw) - batch.engine_logprobs.numpy())) > 0.1  # it is no small matter


def test_what_a_token_was_drawn_from_is_stored_with_it(rolled_out):
    again = Trajectory.from_json(rolled_out[0].to_json())
    assert again == rolled_out[0] and again.drawn_logprobs == rolled_out[0].drawn_logprobs
    with pytest.raises(ValueError, match="has 1 supports"):
        Segment(Origin.ACTION, (1, 2), (0.0, 0.0), (0, 0), supports=(Support((1,), 0.0),))


def test_an_engine_that_does_not_say_it_is_refused():
    assert validate(TrainConfig, compose("train", ["sampling.top_p=0.9"])).sampling.top_p == 0.9
    for given in ("sampling.top_p=0.9", "sampling.top_k=20"):
        with pytest.raises(UserError, match=r"cannot be used in training with engine=sglang"):
            validate(TrainConfig, compose("train", ["engine=sglang", given]))
