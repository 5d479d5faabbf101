"""Drawing tokens: the right distribution, from each request's own stream."""

import numpy as np
import pytest
import torch

from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.engines.embedded.sampling import Stream, draw

LOGITS = torch.tensor([2.0, 1.0, 0.5, -1.0, -30.0])


def frequencies(sampling: Sampling, count: int = 20_000) -> np.ndarray:
    stream = Stream(5)
    tokens, *_ = draw(LOGITS.expand(count, -1), [sampling] * count, [stream.next() for _ in range(count)])
    return np.bincount(tokens.numpy(), minlength=5) / count


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature):
    expected = (LOGITS / temperature).softmax(-1).numpy()
    assert frequencies(Sampling(temperature=temperature)) == pytest.approx(expected, abs=0.015)


def test_top_k_draws_from_the_k_most_likely_only():
    kept = LOGITS[:2].softmax(-1).numpy()
    assert frequencies(Sampling(top_k=2)) == pytest.approx([*kept, 0, 0, 0], abs=0.015)


def test_top_p_keeps_the_smallest_set_that_holds_the_probability():
    probabilities = LOGITS.softmax(-1).numpy()
    assert probabilities[:2].sum() < 0.85 < probabilities[:3].sum()
    kept = probabilities[:3] / probabilities[:3].sum()
    assert frequencies(Sampling(top_p=0.85)) == pytest.approx([*kept, 0, 0], abs=0.015)


def test_rows_of_one_batch_may_be_drawn_in_different_ways():
    samplings = [Sampling(temperature=0.0), Sampling(top_k=1), Sampling(top_p=1e-6), Sampling()]
    tokens, *_ = draw(LOGITS.expand(4, -1), samplings, [0.999, 0.999, 0.999, 0.999])
    assert tokens.tolist()[:3] == [0, 0, 0]
    assert tokens[3] != 0


def test_logprobs_are_of_the_temperature_scaled_distribution_before_truncation():
    tokens, logprobs, _ = draw(LOGITS[None], [Sampling(temperature=0.7, top_k=2, top_p=0.5)], [0.3])
    assert logprobs[0] == pytest.approx((LOGITS / 0.7).log_softmax(-1)[tokens[0]].item(), abs=1e-6)


@pytest.mark.parametrize("uniform", [0.0, np.nextafter(1.0, 0.0)])
def test_the_ends_of_the_interval_draw_possible_tokens(uniform):
    logits = torch.tensor([[-float("inf"), 1.0, 1.0, -float("inf")]])
    tokens, *_ = draw(logits, [Sampling()], [float(uniform)])
    assert tokens[0] in (1, 2)


def test_a_stream_hangs_on_its_seed_alone():
    one, same, other = Stream(1), Stream(1), Stream(2)
    first = [one.next() for _ in range(200)]
    assert first == [same.next() for _ in range(200)]
    assert first != [other.next() for _ in range(200)]
