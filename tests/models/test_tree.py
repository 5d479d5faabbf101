"""Attention over sequences that share their beginnings: every way gives what a mask over all of them would."""

import inspect

import pytest
import torch
from torch.nn.attention.varlen import varlen_attn

from agent_rl.models.tree import Run, over_ragged, over_tree, run_by_run, runs, torch_ragged

TREES = {
    "one sequence": ([7], [0]),
    "sequences apart": ([3, 1, 5], [0, 0, 0]),
    "a prompt and three answers": ([6, 4, 1, 9], [14, 0, 0, 0]),
    "two groups": ([5, 2, 3, 4, 6, 1], [5, 0, 0, 7, 0, 0]),
    "branches of branches": ([2, 3, 1, 4, 2, 5, 3], [15, 7, 0, 2, 0, 0, 0]),
}
ATOL = {torch.float64: 1e-12, torch.float32: 1e-5}


def fake_ragged(query, key, value, at_q, at_k, most_q, most_k, scaling):
    """Do what the kernels for ragged sequences promise, one sequence at a time: they need a GPU."""
    share = query.shape[1] // key.shape[1]
    mixed = []
    for q, (k, v) in zip(
        query.split(at_q.diff().tolist()),
        zip(key.split(at_k.diff().tolist()), value.split(at_k.diff().tolist()), strict=True),
        strict=True,
    ):
        assert len(q) <= most_q and len(k) <= most_k
        k, v = (one.repeat_interleave(share, 1) for one in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) * (scaling or q.shape[-1] ** -0.5)
        unseen = torch.ones(len(q), len(k), dtype=torch.bool).tril(len(k) - len(q)).logical_not()
        mixed.append(torch.einsum("hqk,khd->qhd", scores.masked_fill(unseen, -torch.inf).softmax(-1), v))
    return torch.cat(mixed)


def ragged(query, key, value, scaling, segments, behind):
    return over_ragged(query, key, value, scaling, runs(segments, behind), fake_ragged)


def apart(query, key, value, scaling, segments, behind):
    return run_by_run(query, key, value, scaling, runs(segments, behind))


WAYS = {"joined sums": over_tree, "a ragged kernel": ragged, "run by run": apart}


def masked(query, key, value, scaling, segments, behind):
    """The same with one mask over everything, by the definition: a token sees its run's ancestors, and itself."""
    tree = runs(segments, behind)
    seen = torch.zeros(query.shape[2], query.shape[2], dtype=torch.bool)
    for run in tree:
        seen[run.begin : run.last, run.begin : run.end] = True
    share = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(share, 1) for one in (key, value))
    scores = query @ key.transpose(2, 3) * (scaling or query.shape[-1] ** -0.5)
    return (scores.masked_fill(~(seen & seen.new_ones(seen.shape).tril()), -torch.inf).softmax(-1) @ value).transpose(
        1, 2
    )


def given(segments, dtype, heads: int = 4, shared: int = 2, width: int = 16):
    generator = torch.Generator().manual_seed(3)
    shapes = [(1, sum(segments), count, width) for count in (heads, shared, shared)]
    return [torch.randn(shape, generator=generator, dtype=dtype).transpose(1, 2).requires_grad_() for shape in shapes]


def with_gradients(way, tensors, scaling, tree):
    mixed = way(*tensors, scaling, *tree)
    weights = torch.randn(mixed.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64).to(mixed)
    return [mixed, *torch.autograd.grad((mixed * weights).sum(), tensors)]


@pytest.mark.parametrize("shared", [1, 2, 4])
@pytest.mark.parametrize("dtype", ATOL)
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_gives_what_a_mask_over_everything_gives(way, tree, dtype, shared):
    tensors = given(tree[0], dtype, shared=shared)
    for ours, expected in zip(*(with_gradients(one, tensors, 0.3, tree) for one in (way, masked)), strict=True):
        assert (ours - expected).norm() <= ATOL[dtype] * expected.norm()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_a_run_does_not_continue_changes_nothing_in_it(way):
    segments, behind = TREES["branches of branches"]
    tree = runs(segments, behind)
    tensors = given(segments, torch.float32)
    before = way(*tensors, None, segments, behind)
    for changed in tree:
        moved = [one.detach().clone() for one in tensors]
        for one in moved:
            one[:, :, changed.begin : changed.end] += 1.0
        after = way(*moved, None, segments, behind)
        for run in tree:
            same = torch.equal(before[:, run.begin : run.end], after[:, run.begin : run.end])
            assert same == (not changed.begin <= run.begin < changed.last)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_token_does_not_see_those_after_it(way):
    segments, behind = TREES["a prompt and three answers"]
    tensors = given(segments, torch.float32)
    before = way(*tensors, None, segments, behind)
    moved = [one.detach().clone() for one in tensors]
    for one in moved:
        one[:, :, 3:6] += 1.0  # the end of the prompt
    after = way(*moved, None, segments, behind)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not (before[:, 3:] == after[:, 3:]).all(-1).any()


def test_half_precision_is_close_to_double():
    tree = TREES["two groups"]
    tensors = given(tree[0], torch.bfloat16)
    ours = with_gradients(over_tree, tensors, None, tree)
    exact = with_gradients(masked, [one.detach().double().requires_grad_() for one in tensors], None, tree)
    for one, other in zip(ours, exact, strict=True):
        assert (one.double() - other).norm() < 0.02 * other.norm()


def test_runs_know_where_they_and_what_continues_them_lie():
    assert runs([2, 0, 3, 4], [7, 0, 0, 0]) == [Run(0, 2, 9), Run(2, 5, 5), Run(5, 9, 9)]


def test_torchs_kernel_for_ragged_sequences_takes_what_it_is_given():
    called = inspect.getsource(torch_ragged)
    wanted = inspect.signature(varlen_attn).parameters
    assert {"scale", "window_size", "enable_gqa"} <= wanted.keys()
    assert all(f"{name}=" in called for name in ("scale", "window_size", "enable_gqa"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_the_kernel_on_a_gpu_gives_what_a_mask_over_everything_gives(tree):
    tensors = [one.detach().cuda().requires_grad_() for one in given(tree[0], torch.bfloat16, width=64)]
    ours = with_gradients(over_tree, tensors, None, tree)
    exact = with_gradients(masked, [one.detach().cpu().double().requires_grad_() for one in tensors], None, tree)
    for one, other in zip(ours, exact, strict=True):
        assert (one.cpu().double() - other).norm() < 0.02 * other.norm()
