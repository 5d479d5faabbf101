"""What is said of the cluster before anything is started: settings, who lives with whom, the plan."""

import re
import socket
import sys

import pytest

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.trainer.cluster.actors import RayCluster
from agent_rl.trainer.cluster.base import WorkerLostError, lost_worker, open_cluster
from agent_rl.trainer.cluster.placement import pools_of, shape_of
from agent_rl.trainer.settings import TrainConfig

BOTH = ["cluster=ray", "algorithm=ppo", "algorithm.kl.coefficient=0.1"]


def config(*words: str) -> TrainConfig:
    return validate(TrainConfig, compose("train", list(words)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cluster.ranks=2"], "'cluster.ranks' has no effect with cluster=inline"),
        (["cluster=ray", "cluster.ranks=0"], "greater than 0"),
        (["cluster=ray", "cluster.rank=2"], "did you mean 'cluster.ranks'"),
        (["cluster=ray", "cluster.apart=learners"], "cluster.apart=learners has no effect with algorithm=grpo"),
        (["cluster=ray", "algorithm=ppo", "cluster.apart=reference"], "cluster.apart=reference has no effect"),
        ([*BOTH, "cluster.apart=[learners,learners]"], "given twice"),
        (["cluster=ray", "model.device=cuda:1"], "model.device=cuda:1 has no effect with cluster=ray"),
        (["cluster=ray", "model.device=cpu", "cluster.gpus_per_rank=1"], "does not go with model.device=cpu"),
        (["cluster=ray", "model.device=cuda", "cluster.gpus_per_rank=0"], "does not go with model.device=cuda"),
        (["cluster=ray", "cluster.gpus_per_rank=1.5"], "whole ones"),
    ],
)
def test_what_is_not_read_or_cannot_be_is_an_error(words, said):
    with pytest.raises(UserError, match=re.escape(said)):
        config(*words)


def test_workers_live_together_unless_they_are_set_apart():
    for apart, pools in {
        "[]": {"policy": ("policy", "learners", "reference")},
        "reference": {"policy": ("policy", "learners"), "reference": ("reference",)},
        "[reference,learners]": {"policy": ("policy",), "learners": ("learners",), "reference": ("reference",)},
    }.items():
        made = config(*BOTH, f"cluster.apart={apart}")
        assert dict(pools_of(made, made.cluster)) == pools
    made = config("cluster=ray")
    assert dict(pools_of(made, made.cluster)) == {"policy": ("policy",)}
    made = config("cluster=ray", "algorithm=prime", "cluster.apart=learners")
    assert pools_of(made, made.cluster)["learners"] == ("learners",)


def test_ranks_reserve_what_they_are_told_and_share_what_they_are_not(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for words, bundle, backend in [
        ([], {"CPU": 8.0, "GPU": 1.0}, "cpu:gloo,cuda:nccl"),
        (["cluster.ranks=4"], {"CPU": 2.0, "GPU": 1.0}, "cpu:gloo,cuda:nccl"),
        (["cluster.ranks=16", "cluster.gpus_per_rank=0.5"], {"CPU": 1.0, "GPU": 0.5}, "gloo"),
        (["model.device=cpu", "cluster.cpus_per_rank=3"], {"CPU": 3.0}, "gloo"),
    ]:
        made = config("cluster=ray", *words)
        shape = shape_of(made, made.cluster)
        assert (shape.bundle, shape.backend) == (bundle, backend)


def test_the_plan_says_who_lives_where(capsys):
    words = [*BOTH, "cluster.ranks=2", "cluster.cpus_per_rank=3", "cluster.apart=reference", "model.device=cpu"]
    assert main(["train", *words, "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    two = "2 ranks (placed by pack, meeting over gloo), each with 3 CPU"
    assert f"Actors of a Ray cluster of the run's own, 'policy': {two}, for policy and learners." in said
    assert f"Actors of a Ray cluster of the run's own, 'reference': {two}, for reference." in said
    assert "this process, weights of the engine 3 MB" in said


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'agent-rl\[ray\]'"), open_cluster(config("cluster=ray")):
        pass


def test_an_address_where_nobody_listens_is_said_at_once():
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = re.escape(f"there is no Ray cluster at {address}: ConnectionRefusedError")
        with pytest.raises(UserError, match=said), open_cluster(config("cluster=ray", f"cluster.address={address}")):
            pass


def test_a_run_outlives_as_many_deaths_as_it_may(caplog):
    made = config("cluster=ray", "cluster.restarts=1")
    cluster = RayCluster(None, made, made.cluster)
    lost = WorkerLostError("rank 0 of policy died in policy.update")
    cluster.outlive(lost)
    assert "died in policy.update; the run goes on from its newest checkpoint (restart 1 of 1)" in caplog.text
    with pytest.raises(UserError, match=r"died in policy.update; cluster.restarts=1 are used up"):
        cluster.outlive(lost)


def test_a_death_is_known_behind_the_error_that_it_caused():
    lost = WorkerLostError("rank 0")
    try:
        try:
            raise lost
        except WorkerLostError as error:
            raise OSError("the weights cannot be sent") from error
    except OSError as error:
        assert lost_worker(error) is lost
    assert lost_worker(ValueError("another")) is None
