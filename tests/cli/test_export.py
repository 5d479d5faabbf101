"""What is exported is what others load: the same logits, whole or not at all."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent_rl.cli.main import main
from agent_rl.config import compose, validate
from agent_rl.models.loading import load_tokenizer
from agent_rl.models.weights import adapter_parameters
from agent_rl.tracking.run_folder import create_run
from agent_rl.trainer.checkpoints import commit_checkpoint, prepare_checkpoint
from agent_rl.trainer.export import export
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.team import make_policy

PROMPT = torch.tensor([[505, 3, 17, 40, 41, 300]])


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("plain") / "run"
    words = ["sft.from_scratch=true", "sft.layers=2", "sft.width=64", "sft.steps=2", "sft.batch=2"]
    assert main(["sft", *words, f"out={run}"]) == 0
    return run


@pytest.fixture
def run(plain, tmp_path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "run"))


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(PROMPT % model.config.vocab_size).logits


def refused(capsys, *words: str) -> str:
    assert main(["export", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_it_loads_with_transformers_alone_and_computes_the_same(run, tmp_path, capsys):
    out = tmp_path / "a" / "model"
    assert main(["export", str(run), f"out={out}"]) == 0
    assert f"is in {out}" in capsys.readouterr().out
    files = {file.name for file in out.iterdir()}
    assert files == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }
    checkpoint = run / "checkpoints" / "step_000002"
    one, other = (AutoModelForCausalLM.from_pretrained(place) for place in (checkpoint, out))
    assert torch.equal(logits(one), logits(other))
    assert other.generation_config.eos_token_id == one.config.eos_token_id
    chat = [{"role": "user", "content": "hello"}]
    first, second = (AutoTokenizer.from_pretrained(place).apply_chat_template(chat) for place in (checkpoint, out))
    assert first == second


def test_it_lies_in_the_run_by_default_and_a_checkpoint_can_be_named(run):
    assert export(run).folder == run / "exports" / "step_000002"
    shutil.rmtree(run / "exports")
    assert export(run / "checkpoints" / "step_000002").folder == run / "exports" / "step_000002"
    shutil.rmtree(run / "exports")
    assert export(run, step=2).checkpoint == run / "checkpoints" / "step_000002"


def test_an_empty_folder_is_taken_and_a_full_one_is_not(run, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    assert main(["export", str(run), f"out={tmp_path / 'out'}"]) == 0
    assert "is not empty" in refused(capsys, str(run), f"out={tmp_path / 'out'}")


def test_what_cannot_be_exported_is_refused_in_a_line(run, tmp_path, capsys):
    assert "neither a run nor a checkpoint" in refused(capsys, str(tmp_path))
    assert "no checkpoint of step 7 (kept: 2)" in refused(capsys, str(run), "step=7")
    assert "has no adapter" in refused(capsys, str(run), "adapter=true")
    copy = shutil.copytree(run / "checkpoints" / "step_000002", tmp_path / "copy")
    assert "is not in a run" in refused(capsys, str(copy))
    assert "chooses among the checkpoints" in refused(capsys, str(copy), "step=2", f"out={tmp_path / 'out'}")
    shutil.rmtree(run / "checkpoints" / "step_000002")
    assert "no checkpoint that is whole" in refused(capsys, str(run))


@pytest.mark.parametrize("sealed", [True, False])
def test_a_truncated_checkpoint_is_refused_and_leaves_nothing(run, tmp_path, capsys, sealed):
    checkpoint, out = run / "checkpoints" / "step_000002", tmp_path / "out"
    os.truncate(checkpoint / "model.safetensors", 5000)
    if not sealed:
        (checkpoint / "manifest.json").unlink()
    assert "is damaged: model.safetensors" in refused(capsys, str(checkpoint), f"out={out}")
    assert not out.exists() and not list(tmp_path.glob(".out*"))


def test_a_full_disk_leaves_nothing(run, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "No space left on device" in refused(capsys, str(run), f"out={tmp_path / 'out'}")
    assert not list(tmp_path.glob("*out*"))


def test_adapters_are_merged_or_written_alone(tmp_path):
    from peft import AutoPeftModelForCausalLM

    config = validate(TrainConfig, compose("train", ["lora.rank=4"]))
    folder = create_run(str(tmp_path / "run"), "run", config, ["agent-rl"])
    policy = make_policy(config, None)
    torch.manual_seed(0)
    for weight in adapter_parameters(policy.model).values():
        torch.nn.init.normal_(weight, std=0.1)
    tokenizer = load_tokenizer(config.model)
    commit_checkpoint(prepare_checkpoint(folder, 1, [policy], tokenizer, {}), keep=1)
    merged, alone = export(folder.path), export(folder.path, adapter=True)
    assert {file.name for file in alone.folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert not (merged.folder / "adapter").exists()
    base = json.loads((alone.folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    one, first = (AutoModelForCausalLM.from_pretrained(place) for place in (merged.folder, base))
    other = AutoPeftModelForCausalLM.from_pretrained(alone.folder)
    torch.testing.assert_close(logits(one), logits(other), rtol=1e-4, atol=1e-4)
    assert (logits(one) - logits(first)).abs().max() > 0.1
