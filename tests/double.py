"""Models in float64 all through: transformers' norms compute in float32 whatever the weights are."""

import copy

from torch import Tensor
from torch.nn import Module
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm


class _Norm(Module):
    def __init__(self, norm: Qwen3RMSNorm) -> None:
        super().__init__()
        self.weight, self.epsilon = norm.weight, norm.variance_epsilon

    def forward(self, states: Tensor) -> Tensor:
        return rms_norm(states, self.weight.shape, self.weight, self.epsilon)


def in_double(model: PreTrainedModel) -> PreTrainedModel:
    """Return a copy of a Qwen3 model that rounds as float64 does."""
    made = copy.deepcopy(model).double()
    for name, module in list(made.named_modules()):
        if isinstance(module, Qwen3RMSNorm):
            parent, _, last = name.rpartition(".")
            setattr(made.get_submodule(parent), last, _Norm(module))
    return made
