"""Attention over a pack whose sequences share their beginnings: a run of tokens sees the runs it continues, and itself.

Runs lie in the order of a walk through the tree, so that all that continues a run lies right behind it. Nobody needs a
mask over the whole pack, and no run sees another that it does not continue. The ways differ by what hardware offers:

    CPU              two calls a run, over itself and of all behind it; their softmax sums are joined, as if it were one
    CUDA, 16 bits    one call of a kernel for ragged sequences, with the keys of each run gathered
    anything else    one call a run, with the keys of the run gathered and a mask of its own
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Ragged = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int, float | None], Tensor]
"""Queries `[Q, H, D]`, keys and values `[L, K, D]`, where runs begin and the last ends among queries and among keys
`[R + 1]` each, the longest run of each, the factor of the scores; returns `[Q, H, D]`. The last query of a run sees all
of its keys, the one before all but the last, and so on."""


class Run(NamedTuple):
    """A run of tokens: it begins at `begin` and ends before `end`; what continues it ends before `last`."""

    begin: int
    end: int
    last: int


def runs(segments: Sequence[int], behind: Sequence[int]) -> list[Run]:
    """Return the runs of a pack, from the length of each and the tokens right behind it that continue it."""
    ends = accumulate(segments)
    return [
        Run(end - length, end, end + more) for end, length, more in zip(ends, segments, behind, strict=True) if length
    ]


def over_tree(
    query: Tensor, key: Tensor, value: Tensor, scaling: float | None, segments: Sequence[int], behind: Sequence[int]
) -> Tensor:
    """Return the mixed values `[1, S, H, D]`, from queries `[1, H, S, D]`, keys and values `[1, K, S, D]`."""
    tree = runs(segments, behind)
    if query.device.type == "cpu" and query.shape[-1] == value.shape[-1]:
        mixed: Tensor = _JoinedSums.apply(query, key, value, scaling, tree)
        return mixed.transpose(1, 2)
    if query.is_cuda and query.dtype in (torch.float16, torch.bfloat16):
        return over_ragged(query, key, value, scaling, tree, _ragged())
    return run_by_run(query, key, value, scaling, tree)


class _JoinedSums(torch.autograd.Function):
    """Attention in parts that cover each other's keys, without copies of keys and without masks.

    Every token's attention is computed over its own run, then over each run that it continues. Both give the logarithm
    of the softmax sum, by which they are joined; with the joined result and sum each part's backward is exact as well.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float | None, tree: list[Run]) -> Tensor:
        _, heads, time, width = query.shape
        mixed = query.new_empty(1, time, heads, width).transpose(1, 2)
        sums = query.new_empty(1, time, heads, dtype=torch.promote_types(query.dtype, torch.float32)).transpose(1, 2)
        for own, seen, causal in _parts(tree):
            part, part_sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                query[:, :, own], key[:, :, seen], value[:, :, seen], 0.0, causal, scale=scaling
            )
            if not causal:
                before = sums[:, :, own]
                joined = torch.logaddexp(before, part_sums)
                kept, added = ((one - joined).exp()[..., None] for one in (before, part_sums))
                part, part_sums = mixed[:, :, own] * kept + part * added, joined
            mixed[:, :, own], sums[:, :, own] = part, part_sums
        ctx.save_for_backward(query, key, value, mixed, sums)
        ctx.scaling, ctx.tree = scaling, tree
        return mixed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mixed, sums = ctx.saved_tensors
        grads = [torch.zeros_like(one) for one in (query, key, value)]
        for own, seen, causal in _parts(ctx.tree):
            parts = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                grad[:, :, own],
                query[:, :, own],
                key[:, :, seen],
                value[:, :, seen],
                mixed[:, :, own],
                sums[:, :, own],
                0.0,
                causal,
                scale=ctx.scaling,
            )
            for total, part, place in zip(grads, parts, (own, seen, seen), strict=True):
                total[:, :, place] += part
        return (*grads, None, None)


def _parts(tree: list[Run]) -> Iterator[tuple[slice, slice, bool]]:
    """Yield queries, keys, and whether they are the same run; each run before what continues it."""
    yield from ((slice(run.begin, run.end), slice(run.begin, run.end), True) for run in tree)
    yield from ((slice(run.end, run.last), slice(run.begin, run.end), False) for run in tree if run.last > run.end)


def over_ragged(
    query: Tensor, key: Tensor, value: Tensor, scaling: float | None, tree: list[Run], ragged: Ragged
) -> Tensor:
    """Attend with a kernel for ragged sequences, `[1, S, H, D]`; shapes as in `over_tree`."""
    where = _where(tuple(tree), query.device)
    rows = [one[0].transpose(0, 1) for one in (query, key, value)]
    keys, values = (one if where.seen is None else one.index_select(0, where.seen) for one in rows[1:])
    mixed = ragged(rows[0], keys, values, where.queries, where.keys, where.most_queries, where.most_keys, scaling)
    return mixed[None]


class _Where(NamedTuple):
    """Where the runs' queries and keys lie; `seen` are the places of the keys, None where each sees itself alone."""

    queries: Tensor
    keys: Tensor
    most_queries: int
    most_keys: int
    seen: Tensor | None


@lru_cache(maxsize=4)
def _where(tree: tuple[Run, ...], device: torch.device) -> _Where:
    """Return the same for every layer of a forward pass."""
    paths = list(_paths(tree))
    own = [run.end - run.begin for run in tree]
    seen = [sum(run.end - run.begin for run in path) for path in paths]
    queries, keys = (torch.tensor([0, *accumulate(one)], dtype=torch.int32, device=device) for one in (own, seen))
    places = [place for path in paths for run in path for place in range(run.begin, run.end)]
    shared = torch.tensor(places, device=device) if seen != own else None
    return _Where(queries, keys, max(own), max(seen), shared)


@cache
def _ragged() -> Ragged:
    """Return flash-attn's kernel where that is installed, else torch's."""
    if importlib.util.find_spec("flash_attn") is not None:
        from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found]

        return lambda q, k, v, at_q, at_k, most_q, most_k, scaling: flash_attn_varlen_func(
            q, k, v, at_q, at_k, most_q, most_k, softmax_scale=scaling, causal=True
        )
    return torch_ragged


def torch_ragged(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    at_q: Tensor,
    at_k: Tensor,
    most_q: int,
    most_k: int,
    scaling: float | None,
) -> Tensor:
    """Attend with torch's kernel for ragged sequences, a `Ragged`."""
    from torch.nn.attention.varlen import varlen_attn

    mixed = varlen_attn(
        query, key, value, at_q, at_k, most_q, most_k, scale=scaling, window_size=(-1, 0), enable_gqa=True
    )
    return cast(Tensor, mixed)  # it is a pair when more is asked for


def run_by_run(query: Tensor, key: Tensor, value: Tensor, scaling: float | None, tree: list[Run]) -> Tensor:
    """Attend with torch's own attention alone, `[1, S, H, D]`; shapes as in `over_tree`."""
    grouped = query.shape[1] != key.shape[1]
    lengths = [run.end - run.begin for run in tree]
    places = {run: place for place, run in enumerate(tree)}
    queries, keys, values = (one.split(lengths, dim=2) for one in (query, key, value))
    mixed = []
    for own, path in zip(queries, _paths(tree), strict=True):
        seen, shown = (torch.cat([one[places[run]] for run in path], dim=2) for one in (keys, values))
        time, before = own.shape[2], seen.shape[2] - own.shape[2]
        mask = own.new_ones(time, before + time, dtype=torch.bool).tril(before) if before else None
        mixed.append(
            scaled_dot_product_attention(
                own, seen, shown, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=grouped
            )
        )
    return torch.cat(mixed, dim=2).transpose(1, 2)


def _paths(tree: Sequence[Run]) -> Iterator[list[Run]]:
    """Yield for each run the runs that it continues, the first one first, and itself."""
    path: list[Run] = []
    for run in tree:
        while path and path[-1].last <= run.begin:
            path.pop()
        path.append(run)
        yield list(path)
