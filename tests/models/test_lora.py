"""Adapters begin as nothing, are merged exactly, and come off and on again."""

import pytest
import torch

from agent_rl.core.errors import UserError
from agent_rl.models import attention
from agent_rl.models.lora import add_adapters, load_adapters, save_adapters, without_adapters
from agent_rl.models.scratch import new_model
from agent_rl.models.settings import LoraSettings
from agent_rl.models.weights import adapter_parameters, named_weights

TOKENS = torch.arange(30)[None]


def model() -> torch.nn.Module:
    made = new_model(300, 2, 0, seed=11, layers=2, width=32).eval().to(torch.float64)
    made.set_attn_implementation(attention.NAME)
    return made


def adapted(seed: int = 1, moved: bool = True) -> torch.nn.Module:
    made = model()
    add_adapters(made, LoraSettings(rank=4, alpha=12), seed)
    if moved:
        torch.manual_seed(7)
        with torch.no_grad():
            for parameter in adapter_parameters(made).values():
                parameter.normal_(std=0.1)
    return made


def logits(made: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return made(input_ids=TOKENS, use_cache=False, segments=[TOKENS.shape[1]]).logits


def test_they_begin_as_nothing_and_are_all_that_learns():
    made = adapted(moved=False)
    assert torch.equal(logits(made), logits(model()))
    learns = {name for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert learns == set(adapter_parameters(made))
    assert len(learns) == 2 * 7 * 2  # A and B of seven projections of two layers


def test_the_same_seed_draws_the_same_and_takes_nothing_from_other_streams():
    torch.manual_seed(3)
    one, other = adapted(1, moved=False), adapted(1, moved=False)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    model(), model()
    assert torch.equal(drawn, torch.rand(1))
    another = adapted(2, moved=False)
    for name, parameter in adapter_parameters(one).items():
        assert torch.equal(parameter, adapter_parameters(other)[name])
        assert "lora_A" not in name or not torch.equal(parameter, adapter_parameters(another)[name])


def test_merged_they_are_the_plain_model_that_computes_the_same():
    made, plain = adapted(), model()
    names = [name for name, _ in plain.named_parameters()]
    merged = dict(named_weights(made))
    assert list(merged) == names
    plain.load_state_dict(merged, strict=False)
    assert (logits(plain) - logits(made)).abs().max() < 1e-12
    assert (logits(made) - logits(model())).abs().max() > 1e-3


def test_without_them_it_is_the_first_model_and_learns_on_afterwards():
    made = adapted()
    with without_adapters(made):
        assert torch.equal(logits(made), logits(model()))
    assert not torch.equal(logits(made), logits(model()))
    assert all(parameter.requires_grad for parameter in adapter_parameters(made).values())


def test_saved_they_come_back(tmp_path):
    made, other = adapted(), adapted(2, moved=False)
    save_adapters(made, {name: p.detach() for name, p in adapter_parameters(made).items()}, tmp_path / "adapter")
    load_adapters(other, tmp_path / "adapter")
    assert torch.equal(logits(made), logits(other))


def test_modules_that_are_not_there_are_one_clear_error():
    with pytest.raises(UserError, match=r"lora\.targets=no_such_module"):
        add_adapters(model(), LoraSettings(targets="no_such_module"), 0)
