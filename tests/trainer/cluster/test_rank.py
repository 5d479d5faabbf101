"""A rank by itself, in this process: buckets of weights, and what it answers."""

import os

import torch
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.trainer.cluster.rank import Bucket, Rank
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.workers import PolicyWorker

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool)
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(st.lists(st.tuples(SHAPES, st.sampled_from(DTYPES)), min_size=1, max_size=5), st.integers(0, 99))
def test_a_bucket_holds_tensors_of_any_shape_and_type(made, seed):
    generator = torch.Generator().manual_seed(seed)
    tensors = [
        (f"tensor {number}", (torch.randn(shape, generator=generator) * 9).to(dtype))
        for number, (shape, dtype) in enumerate(made)
    ]
    if tensors[0][1].dim() > 1:
        tensors[0] = (tensors[0][0], tensors[0][1].mT)  # which does not lie in one piece
    got = list(Bucket.of(tensors).tensors())
    assert [name for name, _ in got] == [name for name, _ in tensors]
    for (_, tensor), (_, sent) in zip(got, tensors, strict=True):
        assert tensor.dtype == sent.dtype and torch.equal(tensor, sent)


def test_the_weights_of_a_policy_come_in_buckets_that_are_copies(small_model):
    rank = Rank(os.getcwd(), torch.get_num_threads())
    worker = PolicyWorker(small_model, OptimizerSettings(), 100, 1.0)
    counted = rank.make(lambda: {"policy": worker})
    assert (counted["policy"].updates, counted["policy"].skipped) == (0, 0)
    rank.begin_weights("policy")
    got: dict[str, torch.Tensor] = {}
    calls = 0
    while (bucket := rank.next_weights(100_000)) is not None:
        assert bucket.content.nbytes < 100_000 + max(p.nbytes for p in small_model.parameters())
        got |= bucket.tensors()
        calls += 1
    assert calls > 1
    assert list(got) == [name for name, _ in small_model.named_parameters()]
    sent = {name: parameter.detach().clone() for name, parameter in small_model.named_parameters()}
    with torch.no_grad():
        for parameter in small_model.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(got[name], sent[name]) for name in sent)
