"""Weights on their way: in buckets, and only those of the servers' model."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from agent_rl.core.errors import UserError
from agent_rl.rollout.engines.sglang.transports.base import buckets

MODEL = {"a": torch.zeros(4, 2), "b": torch.zeros(3), "c": torch.zeros(100)}


def sent(tensors: dict[str, torch.Tensor], size: int, *models: str) -> list[list[str]]:
    class Weights:
        current = True
        version = 1

        def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
            yield from tensors.items()

        def save(self, folder: Path) -> None:
            raise AssertionError

    receivers: list[Any] = [SimpleNamespace(facts=SimpleNamespace(model=model)) for model in models]
    return [[name for name, _ in bucket] for bucket in buckets(Weights(), size, receivers)]


@pytest.fixture
def model(tmp_path) -> str:
    save_file({"a": MODEL["a"], "b": MODEL["b"]}, tmp_path / "model-1.safetensors")
    save_file({"c": MODEL["c"]}, tmp_path / "model-2.safetensors")
    return str(tmp_path)


def test_buckets_are_as_large_as_set_and_keep_the_order():
    assert sent(MODEL, 50) == [["a", "b"], ["c"]]
    assert sent(MODEL, 1) == [["a"], ["b"], ["c"]]
    assert sent(MODEL, 10_000) == [["a", "b", "c"]]


def test_the_tensors_of_the_servers_model_pass(model):
    assert sent(MODEL, 10_000, model, model) == [["a", "b", "c"]]
    assert sent(MODEL | {"lm_head.weight": torch.zeros(2)}, 10_000, model)  # tied: named, but not saved


def test_a_tensor_of_another_shape_is_refused_before_it_is_sent_as_the_server_would_die(model):
    with pytest.raises(UserError, match=r"b has the shape \[4\].*it has \[3\]"):
        sent(MODEL | {"b": torch.zeros(4)}, 1, model)


def test_a_tensor_that_the_model_does_not_have_is_refused_as_the_server_would_ignore_it(model):
    with pytest.raises(UserError, match="trainer's tensor d is not in"):
        sent(MODEL | {"d": torch.zeros(4)}, 1, model)


def test_tensors_that_do_not_come_are_named_as_they_would_keep_old_values(model):
    with pytest.raises(UserError, match=r"2 tensors .* such as b"):
        sent({"a": MODEL["a"]}, 1, model)


def test_a_model_that_is_not_on_this_machine_is_not_compared():
    assert sent(MODEL, 10_000, "some/hub-name") == [["a", "b", "c"]]
