"""The shipped models: small, whole, and loaded by transformers' own classes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent_rl.config.compose import compose
from agent_rl.core.errors import UserError
from agent_rl.core.manifest import seal
from agent_rl.models import attention
from agent_rl.models.loading import SHIPPED, SHIPPED_MODELS, load_model, resolve
from agent_rl.models.settings import ModelSettings


def test_it_is_small_enough_to_ship():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 6 * 2**20
    parameters = sum(tensor.numel() for tensor in load_file(SHIPPED / "model.safetensors").values())
    assert 800_000 <= parameters <= 1_200_000


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_each_loads_with_transformers_alone(name):
    folder = resolve(name)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.model_type == "qwen3"
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("name", [name for name in SHIPPED_MODELS if name != "tiny"])
def test_a_games_model_is_smaller_still_and_its_preset_names_it(name):
    assert sum(file.stat().st_size for file in Path(resolve(name)).iterdir()) < 2 * 2**20
    assert compose("train", [f"env={name.removeprefix('tiny_')}"])["model"] == {"path": name}


def test_what_we_load_has_our_attention_and_is_in_evaluation_mode():
    model, tokenizer = load_model(ModelSettings(device="cpu"))
    assert model.config._attn_implementation == attention.NAME
    assert not model.training
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.dtype == torch.float32


def test_a_run_stands_for_its_newest_checkpoint(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match="no checkpoint yet"):
        resolve(str(tmp_path))
    for step in (9, 10):
        (tmp_path / "checkpoints" / f"step_{step:06d}").mkdir(parents=True)
        (tmp_path / "checkpoints" / f"step_{step:06d}" / "config.json").write_text("{}")
        seal(tmp_path / "checkpoints" / f"step_{step:06d}")
    (tmp_path / "checkpoints" / ".step_000011").mkdir()
    (tmp_path / "checkpoints" / ".step_000011" / "config.json").write_text("{}")
    assert resolve(str(tmp_path)).endswith("step_000010")
    (tmp_path / "checkpoints" / "step_000010" / "config.json").write_text("{")
    assert resolve(str(tmp_path)).endswith("step_000009")
    (tmp_path / "checkpoints" / "step_000009" / "config.json").unlink()
    with pytest.raises(UserError, match="none but damaged checkpoints"):
        resolve(str(tmp_path))
