"""A model's weights as others read them: whole where they are dealt out over ranks, adapters merged, by their names."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

_ADAPTER, _BASE = ".lora_", ".base_layer."


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor with the parts of it that lie on other ranks; all of them ask together."""
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


@torch.no_grad()
def named_weights(model: Module) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight with its Hugging Face name, tied ones once, adapters merged into what they adapt.

    One at a time is whole: there is never a full copy of a model that is dealt out. All ranks iterate together.
    """
    for name, parameter in model.named_parameters():
        if _ADAPTER in name:
            continue
        tensor = whole(parameter.detach())
        place, adapted, kind = name.rpartition(_BASE)
        if adapted and kind == "weight":
            adapter: Any = model.get_submodule(place)
            for each in adapter.active_adapters:
                tensor = tensor + whole(adapter.get_delta_weight(each)).to(tensor)
        yield name.replace(_BASE, "."), tensor


def adapter_parameters(model: Module) -> dict[str, torch.nn.Parameter]:
    """Return the weights of a model's adapters by their names in it; none where it has no adapters."""
    return {name: parameter for name, parameter in model.named_parameters() if _ADAPTER in name}
