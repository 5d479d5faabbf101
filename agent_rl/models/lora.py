"""LoRA: instead of a model's matrices, low-rank additions to them are trained. Hu et al. 2021, arXiv:2106.09685.

    y = W x + (alpha / rank) B A x        W as it was, A random and B zero at first

They lie within the model, so that all that computes with it computes with them; without them it is the first model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import Module
from transformers import PreTrainedModel

from agent_rl.core.errors import UserError
from agent_rl.models.settings import LoraSettings
from agent_rl.models.weights import adapter_parameters

_NAME = "default"
_WEIGHTS = "adapter_model.safetensors"
ADAPTER_FILES = ("adapter_config.json", _WEIGHTS)
"""What peft and others read of a folder."""


def add_adapters(model: PreTrainedModel, settings: LoraSettings, seed: int) -> None:
    """Put adapters, their weights drawn from `seed`, into a model and freeze the rest of it.

    Raises:
        UserError: peft is not installed, or the model has no such modules.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UserError("lora needs peft: pip install 'agent-rl[lora]'") from error
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules=settings.targets, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            inject_adapter_in_model(config, model, adapter_name=_NAME)
        except ValueError as error:
            raise UserError(f"lora.targets={settings.targets}: {error}") from error


@contextmanager
def without_adapters(model: Module) -> Iterator[None]:
    """Let a model compute as it did before it was given adapters."""
    layers = _layers(model)
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def save_adapters(model: PreTrainedModel, tensors: dict[str, Tensor], folder: Path) -> None:
    """Write the adapters' weights, given whole by their names in the model, into a folder as peft does."""
    folder.mkdir()
    model.peft_config[_NAME].save_pretrained(folder)
    kept = {f"base_model.model.{_peft_name(name)}": tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, folder / _WEIGHTS)


@torch.no_grad()
def load_adapters(model: PreTrainedModel, folder: Path) -> None:
    """Restore the adapters' weights from a folder; all ranks do so together."""
    kept = load_file(folder / _WEIGHTS)
    for name, parameter in adapter_parameters(model).items():
        tensor = kept[f"base_model.model.{_peft_name(name)}"].to(parameter.device, parameter.dtype)
        if parameter.shape != tensor.shape:
            raise ValueError(f"{name} has the shape {list(tensor.shape)}")
        parameter.copy_(_dealt(tensor, parameter))


def _dealt(tensor: Tensor, like: Any) -> Tensor:
    """Return a tensor, the same on all ranks, as `like` is dealt out."""
    mesh = getattr(like, "device_mesh", None)
    if mesh is None:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, mesh, like.placements)


def _peft_name(name: str) -> str:
    return name.replace(f".{_NAME}.", ".")


def _layers(model: Module) -> list[Any]:
    from peft.tuners.lora import LoraLayer

    return [module for module in model.modules() if isinstance(module, LoraLayer)]
