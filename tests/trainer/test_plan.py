"""The plan: memory by part and device, what does not fit and what helps, from the configuration alone."""

import json

import pytest

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.models.loading import load_model
from agent_rl.models.settings import ModelSettings
from agent_rl.trainer.durations import Speed, seconds
from agent_rl.trainer.memory import MB, devices, helpful, sizes, too_much
from agent_rl.trainer.settings import TrainConfig

TINY = load_model(ModelSettings(device="cpu"))[0].num_parameters()


def train(*words: str) -> TrainConfig:
    return validate(TrainConfig, compose("train", ["model.device=cpu", *words]))


def parts(*words: str) -> dict[str, float]:
    (device,) = devices(train(*words))
    return dict(device.parts)


def test_what_is_counted_is_what_is_held():
    found = parts("engine.rows=16")
    assert found["weights"] == found["gradients"] == TINY * 4 / MB
    assert found["optimizer"] == 2 * found["weights"]
    assert (
        found["cache"] == 16 * 512 * 2 * 4 * 2 * 32 * 4 / MB
    )  # rows, positions, keys and values, layers, heads, width
    assert found.keys() == {"weights", "gradients", "optimizer", "activations", "cache"}


def test_other_models_are_parts_of_their_own():
    assert parts("algorithm.kl.coefficient=0.1")["reference"] == TINY * 4 / MB
    value = parts("algorithm=ppo")
    assert value["optimizer of the value model"] == 2 * value["weights of the value model"] > 0
    adapted = parts("algorithm.kl.coefficient=0.1", "lora.rank=4")
    assert "reference" not in adapted and adapted["gradients"] < 0.2 * adapted["weights"]


def test_settings_that_save_memory_do_so_in_the_plan():
    plain = parts()
    assert parts("worker.recompute=true")["activations"] < 0.5 * plain["activations"]
    assert parts("trainer.micro_tokens=4096")["activations"] == pytest.approx(plain["activations"] / 2)
    assert parts("model.dtype=bfloat16")["weights"] == plain["weights"] / 2
    assert "cache" not in parts("engine=sglang", "engine.urls=[http://127.0.0.1:1]")


def test_ranks_hold_a_part_each_and_the_engine_a_model_of_its_own():
    plain = parts()
    rank, here = devices(train("cluster=ray", "cluster.ranks=2"))
    assert rank.count == 2 and rank.parts["optimizer"] == plain["optimizer"] / 2
    assert rank.parts["gathered weights"] > 0
    assert here.parts.keys() == {"weights of the engine", "cache"}
    names = [device.name for device in devices(train("cluster=ray", "cluster.apart=learners", "algorithm=ppo"))]
    assert names == ["a rank of policy", "a rank of learners", "this process"]


def test_what_does_not_fit_is_said_with_what_helps():
    config = train("trainer.micro_tokens=65536")
    assert not too_much(devices(config), config, available_mb=10**6)
    (sentence,) = too_much(devices(config), config, available_mb=2000)
    assert "of which there are 2000 MB" in sentence
    found = helpful(config, available_mb=2000)
    assert found[0][0] == "worker.recompute=true" and found[0][1] > 1000
    saved = {name: mb for name, mb, _ in found}
    before, after = (devices(train(*words))[0].total for words in ([], ["engine.rows=64"]))
    assert saved["engine.rows=64"] == pytest.approx(before - after)
    assert [one[1] for one in found] == sorted((one[1] for one in found), reverse=True)


def test_seconds_follow_from_the_work_and_the_speed():
    config = train("trainer.tasks=2", "algorithm.samples=4", "engine.rows=8")
    policy = sizes(config.model)
    tokens = 2 * 4 * config.rollout.limits.episode_tokens
    found = seconds(config, policy, Speed(operations=1e9, bytes=1e15))
    assert found["update"] == pytest.approx(6 * TINY * tokens / 1e9)
    assert found["rollout"] == pytest.approx(2 * TINY * tokens / 1e9)
    judged = train("trainer.tasks=2", "algorithm.samples=4", "reward_model=generative", "reward_model.path=tiny")
    asked = seconds(judged, policy, Speed(operations=1e9, bytes=1e15))["reward model"]
    assert asked == pytest.approx(2 * TINY * (tokens + 2 * 4 * 512) / 1e9)
    slow = seconds(config, policy, Speed(operations=1e15, bytes=1e9))
    assert slow["rollout"] == pytest.approx(512 * TINY * 4 / 1e9)


def test_the_command_says_it_in_words_and_figures_and_starts_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "model.device=cpu", "trainer.micro_tokens=65536", "--memory-gb", "3", "--json"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    told = json.loads(last)
    assert told["fits"] is False and told["parameters"] == TINY
    assert any(line.startswith("It does not fit: the run needs") for line in lines)
    assert any(line.startswith("worker.recompute=true saves") and line.endswith("the run fits.") for line in lines)
    assert told["devices_mb"][0]["total"] == pytest.approx(sum(told["devices_mb"][0]["parts"].values()))
    assert {"rollout", "update"} == told["seconds"].keys() and len(told["assumptions"]) == 4
    assert not list(tmp_path.iterdir())
    assert main(["plan", "--memory-gb", "0"]) == 1
    assert "--memory-gb must be over 0" in capsys.readouterr().err


def test_the_dry_run_says_the_same(capsys):
    words = ["trainer.tasks=3", "model.device=cpu"]
    assert main(["train", *words, "--dry-run"]) == 0
    dry = capsys.readouterr().out.partition("Tasks: ")[2]
    assert main(["plan", *words]) == 0
    assert capsys.readouterr().out.partition("Tasks: ")[2].startswith(dry.rstrip("\n"))
