"""Models ready for workers: with activations computed twice to save memory, and dealt out over the ranks by FSDP2.

Each rank keeps a part of every weight, of its gradient and of its optimizer state. A layer's weights are gathered for
its forward and backward pass, and those outside of layers for the whole pass. Gradients are sums over the ranks: what
the loss is divided by is known of the whole mini batch. Rank 0 alone reads a model; the others begin with its shape.
"""

from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.nn import Module
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_layers import GradientCheckpointingLayer

from agent_rl.core.errors import UserError
from agent_rl.models.loading import load_model, load_scorer, load_skeleton, load_tokenizer
from agent_rl.models.packed import Packed, Predicted, predict
from agent_rl.models.settings import ModelSettings
from agent_rl.models.spread import check_heads
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.worker_settings import WorkerSettings

T = TypeVar("T")
_CALL = "agent_rl_call"


def load_for_ranks(settings: ModelSettings, scores: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model, and its tokenizer, for a worker: on several ranks rank 0 into main memory, the others its shape.

    Args:
        settings: The model.
        scores: Whether it is one with a head of one number, instead of a causal one.

    Raises:
        UserError: There is no such model, or its files are damaged.
    """
    ranks, load = Ranks.here(), load_scorer if scores else load_model
    if not ranks.sharded:
        return load(settings)
    loaded = ranks.first(lambda: load(settings.model_copy(update={"device": "cpu"})))
    return loaded or (load_skeleton(settings, scores), load_tokenizer(settings))


def prepare(module: Module, settings: WorkerSettings, ranks: Ranks, exact: Sequence[Module] = ()) -> None:
    """Make a model ready, in place; optimizers are made afterwards, for its weights are other tensors then.

    Args:
        module: The model, its weights on rank 0.
        settings: How it is held in memory.
        ranks: Whom it is dealt out to.
        exact: Parts of it that compute in the type of their weights, whatever `settings.compute` says.

    Raises:
        UserError: A setting would have no effect.
    """
    settings.check(ranks.sharded)
    if ranks.together > 1:
        _check_spread(module, ranks)
    layers = [layer for layer in module.modules() if isinstance(layer, GradientCheckpointingLayer)]
    if settings.recompute and not layers:
        raise UserError(f"worker.recompute: the layers of {type(module).__name__} are not known")
    for layer in layers if settings.recompute else []:
        layer.forward = MethodType(_recomputed, layer)
    if ranks.sharded:
        _shard(module, layers, exact, settings, ranks)


def _check_spread(module: Module, ranks: Ranks) -> None:
    if ranks.size % ranks.together:
        raise UserError(f"{ranks.size} ranks are not a multiple of worker.sequence_parallel={ranks.together}")
    model = next(part for part in module.modules() if isinstance(part, PreTrainedModel))
    text = model.config.get_text_config()
    check_heads(text.num_attention_heads, text.num_key_value_heads, ranks.together)


def through(module: Module, function: Callable[..., T], *arguments: Any) -> T:
    """Return `function(module, *arguments)`, where those weights of the module are whole that are outside of layers."""
    call = getattr(module, _CALL, None)
    if call is None:
        return function(module, *arguments)
    found: T = call(function, *arguments)
    if not torch.is_grad_enabled():
        module.reshard()  # type: ignore[operator]  # else FSDP waits for a backward pass
    return found


def predicted(module: Module, ranks: Ranks, packed: Packed, *arguments: Any) -> Predicted:
    """Return what `predict(module, packed, *arguments)` does, computed by all ranks that have this pack."""
    part = ranks.part(packed)
    return Predicted(*(ranks.joined(each, packed, part) for each in through(module, predict, part, *arguments)))


def _recomputed(layer: Module, *arguments: Any, **named: Any) -> Any:
    forward = MethodType(type(layer).forward, layer)
    if not torch.is_grad_enabled():
        return forward(*arguments, **named)
    return checkpoint(forward, *arguments, use_reentrant=False, preserve_rng_state=False, **named)


def _shard(
    module: Module, layers: Sequence[Module], exact: Sequence[Module], settings: WorkerSettings, ranks: Ranks
) -> None:
    """Deal a model out: every rank forgets its weights but rank 0, which tells each rank its part."""
    from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method

    device = ranks.device(module)
    weights, buffers = module.state_dict(), dict(module.named_buffers())
    module.to("meta")
    for part in module.modules():
        if isinstance(part, PreTrainedModel):
            part.tie_weights()
    _cut(module, layers, exact, settings, ranks)
    module.to_empty(device=torch.device("cpu") if settings.offload else device)
    _fill(module, weights, buffers, device, ranks)
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)  # any factor but the number of ranks is else NCCL's alone
    setattr(module, _CALL, MethodType(_call, module))
    register_fsdp_forward_method(module, _CALL)


def _cut(
    module: Module, layers: Sequence[Module], exact: Sequence[Module], settings: WorkerSettings, ranks: Ranks
) -> None:
    """Let each rank have its part of every weight, which is gathered with those of its layer."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, OffloadPolicy, fully_shard

    kind = ranks.device(module).type
    offload = CPUOffloadPolicy(pin_memory=kind == "cuda") if settings.offload else OffloadPolicy()
    common: dict[str, Any] = {"mesh": init_device_mesh(kind, (ranks.size,)), "offload_policy": offload}
    compute: dict[str, Any] = {}
    if settings.compute is not None:
        compute = {"param_dtype": getattr(torch, settings.compute), "reduce_dtype": torch.float32}
    for layer in layers:
        fully_shard(layer, mp_policy=MixedPrecisionPolicy(**compute), **common)
    for part in exact:
        fully_shard(part, **common)
    output = torch.float32 if compute else None  # of the whole alone: between layers it stays what they compute in
    fully_shard(module, mp_policy=MixedPrecisionPolicy(**compute, output_dtype=output), **common)


def _fill(
    module: Module, weights: dict[str, Tensor], buffers: dict[str, Tensor], device: torch.device, ranks: Ranks
) -> None:
    """Give each rank its part of what rank 0 has, one tensor after the other, and all buffers."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

    told: dict[str, Any] = dict(weights) if ranks.rank == 0 else {}
    set_model_state_dict(module, told, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    for name, empty in list(module.named_buffers()):
        buffer = buffers[name].to(device) if ranks.rank == 0 else torch.empty_like(empty, device=device)
        distributed.broadcast(buffer, 0)
        place, _, last = name.rpartition(".")
        setattr(module.get_submodule(place), last, buffer)


def _call(module: Module, function: Callable[..., T], *arguments: Any) -> T:
    return function(module, *arguments)
