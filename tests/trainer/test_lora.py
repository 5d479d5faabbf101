"""A run that learns adapters: the reference costs nothing, it comes back number for number, others read its model."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.core.errors import UserError
from agent_rl.models.loading import load_model
from agent_rl.models.settings import ModelSettings
from agent_rl.models.weights import adapter_parameters
from agent_rl.trainer.annotate import make_references
from agent_rl.trainer.plan import explain
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import make_policy
from agent_rl.trainer.workers import AdaptedReference

SIZE = ["trainer.tasks=2", "algorithm.samples=4", "eval.tasks=0", "rollout.limits.turns=2", "lora.rank=4"]
KL = "algorithm.kl.coefficient=0.05"


def train(*words: str) -> TrainConfig:
    return validate(TrainConfig, compose("train", words))


def test_the_reference_is_the_policy_without_them():
    config = train(*SIZE, KL)
    policy = make_policy(config, None)
    (reference,) = make_references(config, policy)
    assert isinstance(reference, AdaptedReference) and reference.policy is policy
    moments = {id(parameter) for group in policy.optimizer.param_groups for parameter in group["params"]}
    assert moments == {id(parameter) for parameter in adapter_parameters(policy.model).values()}


def test_the_plan_counts_what_learns():
    (plain,) = [line for line in explain(train("env=guess", KL)) if line.startswith("Memory")]
    (adapted,) = [line for line in explain(train("env=guess", KL, *SIZE)) if line.startswith("Memory")]
    assert ", reference " in plain and "adapters" not in plain
    assert ", reference " not in adapted and "million in adapters" in adapted


def test_a_misspelt_setting_of_it_has_the_nearest_named():
    with pytest.raises(UserError, match=r"lora\.rank"):
        train("lora.rnak=3")


@pytest.mark.parametrize("word", ["worker.offload=true", "worker.compute=bfloat16"])
def test_what_this_process_cannot_do_is_refused(word):
    with pytest.raises(UserError, match="has no effect on one rank"):
        train(word)


def test_computing_in_the_type_that_weights_have_already_is_refused():
    several = ("cluster=ray", "cluster.ranks=2")
    assert train(*several, "worker.compute=bfloat16").worker.compute == "bfloat16"
    with pytest.raises(UserError, match=r"'worker\.compute' has no effect: it is model\.dtype"):
        train(*several, "worker.compute=float32")


def test_layers_computed_twice_are_those_of_the_setting():
    config = train("worker.recompute=true")
    policy = make_policy(config, None)
    assert all("forward" in vars(layer) for layer in policy.model.model.layers)


@pytest.mark.slow
def test_a_resumed_run_is_the_run_and_its_model_is_a_plain_one(tmp_path, capsys):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = [*SIZE, KL, "algorithm.entropy=0.1"]  # which has a gradient where no episode is rewarded
    assert main(["train", *words, "trainer.steps=2", f"out={whole}"]) == 0
    assert main(["train", *words, "trainer.steps=1", f"out={cut}"]) == 0
    assert main(["train", f"resume={cut}", "trainer.steps=2"]) == 0
    lines = [json.loads((run / "metrics.jsonl").read_text().splitlines()[1]) for run in (whole, cut)]
    timed = ("seconds/", "speed/", "memory/")
    one, other = ({key: value for key, value in line.items() if not key.startswith(timed)} for line in lines)
    assert one == other and one["policy/grad_norm"] > 0
    at = "checkpoints/step_000002"
    for file in ("model.safetensors", "adapter/adapter_model.safetensors"):
        assert (whole / at / file).read_bytes() == (cut / at / file).read_bytes()
    merged = load_file(whole / at / "model.safetensors")
    loaded = AutoModelForCausalLM.from_pretrained(whole / at)
    first = load_model(ModelSettings())[0]
    names = [name for name, _ in first.named_parameters()]
    assert list(merged.keys()) == sorted(names)
    assert all(torch.equal(merged[name], loaded.get_parameter(name)) for name in names)
    assert any(not torch.equal(merged[name], first.get_parameter(name)) for name in names)
