"""Samples are dealt out evenly, neighbours together; one rank alone changes nothing."""

import random

import pytest
import torch

from agent_rl.core.errors import UserError
from agent_rl.trainer.batches import Sample, micro_batches
from agent_rl.trainer.ranks import Ranks, parts
from agent_rl.trainer.worker_settings import WorkerSettings

from ..conftest import trajectory


def batch(count: int, seed: int) -> list[Sample]:
    rng = random.Random(seed)
    made = [trajectory(rng, 0.0, turns=1 + rng.randrange(4)) for _ in range(count)]
    return [Sample(one, torch.ones(len(one.action_logprobs), dtype=torch.float64)) for one in made]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_no_part_is_over_the_mean_by_more_than_a_sample_and_neighbours_stay_so(count, seed):
    whole = batch(20, seed)
    dealt = parts(whole, count)
    assert [sample for part in dealt for sample in part] == whole
    sizes = [sum(sample.size for sample in part) for part in dealt]
    assert max(sizes) <= sum(sizes) / count + max(sample.size for sample in whole)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20])
def test_every_rank_has_as_many_micro_batches_and_every_sample_lies_in_one(count):
    whole = batch(count, 1)
    each = [Ranks(rank, 3, sharded=True).micro_batches(whole, 60) for rank in range(3)]
    assert len({len(of_rank) for of_rank in each}) == 1
    found = [id(sample) for of_rank in each for micro in of_rank for sample in micro]
    assert sorted(found) == sorted(map(id, whole))


def test_one_rank_has_the_micro_batches_of_the_batch_and_what_it_gives_is_the_sum():
    whole, ranks = batch(9, 2), Ranks.here()
    assert (ranks.rank, ranks.size, ranks.sharded) == (0, 1, False)
    assert ranks.micro_batches(whole, 60) == micro_batches(whole, 60)
    assert ranks.totals({"a": 0.1}) == {"a": 0.1} and ranks.gathered("b") == ["b"]
    assert ranks.first(lambda: 3) == 3


@pytest.mark.parametrize(("name", "value"), [("compute", "bfloat16"), ("offload", True), ("sequence_parallel", 2)])
def test_what_only_several_ranks_do_is_refused_on_one(name, value):
    settings = WorkerSettings(**{name: value})
    settings.check(sharded=True)
    with pytest.raises(UserError, match=f"'worker.{name}' has no effect"):
        settings.check(sharded=False)
