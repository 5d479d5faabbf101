"""Ranks in actors: every call is made by all, a failure is one line, a death is told from a failure."""

import logging
import os
import random
import re
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Group
from agent_rl.trainer.algorithms import make_batch
from agent_rl.trainer.cluster import pool as pools
from agent_rl.trainer.cluster import remote
from agent_rl.trainer.cluster.base import WorkerLostError
from agent_rl.trainer.cluster.placement import Shape
from agent_rl.trainer.cluster.pool import Pool
from agent_rl.trainer.cluster.remote import RemoteAnnotator, RemoteLearner, RemotePolicy

from ..conftest import trajectory
from . import stubs

pytestmark = pytest.mark.slow
TWO = Shape(ranks=2, cpus=1, gpus=0.0, strategy="pack", seconds=120.0)


@pytest.fixture(scope="module")
def pool(ray) -> Iterator[Pool]:
    made = Pool(ray, "policy", TWO, stubs.make)
    yield made
    made.close()


def test_a_call_is_made_by_all_ranks_and_rank_0_answers(pool, tmp_path, caplog):
    worker = RemoteLearner(pool, "policy")
    assert worker.update([1.0, 2.0, 4.0], scale=2.0) == {"sum": 14.0}
    assert [(record.name, record.message) for record in caplog.records] == [("agent_rl.trainer", "rank 0")]
    assert (worker.updates, worker.skipped) == (1, 0)
    worker.save(tmp_path)
    assert (tmp_path / "state").read_text() == "[([1.0, 2.0, 4.0], 2.0)]"


def test_of_a_batch_the_new_notes_alone_come_back(pool):
    batch = make_batch([Group("t", [trajectory(random.Random(1), 1.0)])]).noted(there=torch.tensor([1.0]))
    noted = RemoteAnnotator(pool, "policy").annotate(batch)
    assert set(noted.notes["ranks"].tolist()) == {3.0}
    assert noted.trajectories is batch.trajectories and noted.notes["there"] is batch.notes["there"]


@pytest.mark.parametrize("size", [1, 40, 10**6])
def test_weights_come_whole_in_buckets_of_any_size(pool, monkeypatch, size):
    monkeypatch.setattr(remote, "BUCKET_BYTES", size)
    weights = RemotePolicy(pool, "policy").weights(3)
    got = dict(weights.tensors())
    assert list(got) == [f"weight {number}" for number in range(4)]
    for number, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64, torch.int64)):
        assert torch.equal(got[f"weight {number}"], (2 * number * torch.ones(3, number + 1)).to(dtype))
    next(weights.tensors())  # begun and left: the next ones begin with the first again
    assert list(dict(weights.tensors())) == list(got)


def test_weights_are_current_until_an_update_begins(pool):
    worker = RemotePolicy(pool, "policy")
    weights = worker.weights(1)
    assert weights.current
    RemoteLearner.update(worker, [1.0])
    assert not weights.current and worker.weights(2).current


def test_ranks_make_the_calls_of_several_threads_in_one_order(pool):
    sums: list[float] = []

    def call(number: int) -> None:
        sums.extend(pool.call("policy", "update", [float(number)] * 2).value["sum"] for _ in range(10))

    threads = [threading.Thread(target=call, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(sums) == [2.0] * 10 + [4.0] * 10 + [6.0] * 10


def test_what_the_user_can_mend_is_said_as_it_was(ray, caplog):
    with pytest.raises(UserError, match=r"^there is no such model$"):
        Pool(ray, "policy", Shape(1, 1, 0.0, "pack", 120.0), stubs.cannot_make)
    assert not caplog.records


def test_a_failure_is_one_line_with_its_traceback_logged_once_and_a_death_is_told_from_it(
    ray, caplog, capfd, monkeypatch
):
    monkeypatch.setattr(pools, "_GRACE_SECONDS", 0.5)
    made = Pool(ray, "policy", TWO, stubs.make)
    with caplog.at_level(logging.ERROR), pytest.raises(UserError) as caught:
        made.call("policy", "fail", 1)
    pid = made.places[1].pid
    said = rf"rank 1 of policy \(process {pid} on [\d.]+\) failed in policy.fail: ValueError: a number is wrong"
    assert re.fullmatch(said, str(caught.value))
    assert len(caplog.records) == 1 and caplog.text.count("stubs.py") == 1 and "\x1b" not in caplog.text

    monkeypatch.setattr(pools, "_GRACE_SECONDS", 30.0)  # rank 0 waits in a barrier, and fails when rank 1 is gone
    begun = made.begin("call", "policy", "wait_for_all", (1,), {})
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerLostError, match=rf"^rank 1 of policy \(process {pid} on [\d.]+\) died in policy.update$"):
        made.end(begun, "policy.update")
    made.close()
    made.close()
    assert len(caplog.records) == 1
    assert "".join(capfd.readouterr()) == ""


def test_no_room_is_said_with_what_there_is(ray):
    with pytest.raises(UserError, match=r"no room for 1 ranks of 64 CPU \(strategy pack\) for 0.5 s; it has 4 CPU"):
        Pool(ray, "policy", Shape(1, 64, 0.0, "pack", 0.5), stubs.make)


def test_ranks_that_were_closed_give_back_what_they_reserved(ray, pool):
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU", 0.0) < 2.0:  # of four; two are of the pool that all tests share
        assert time.monotonic() < deadline
        time.sleep(0.05)
