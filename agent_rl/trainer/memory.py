"""What a run needs of the memory of each device, by part, before anything is loaded.

Weights, gradients, optimizer and cache are counted; what a layer keeps for the backward pass is estimated from its
widths, as it was seen on Qwen-like models. Whatever the Python libraries need comes on top.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from agent_rl.core.errors import UserError
from agent_rl.models.loading import load_config, load_skeleton
from agent_rl.models.lora import add_adapters
from agent_rl.models.settings import LoraSettings, ModelSettings
from agent_rl.models.weights import adapter_parameters
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.trainer.cluster.placement import pools_of, shape_of
from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.reward_settings import GenerativeSettings
from agent_rl.trainer.settings import TrainConfig

MB = 2**20
LIBRARIES_MB = 600
"""Resident memory of the Python libraries in each process, about."""
_GROW = 128  # positions by which the cache grows
_LOGITS = 2**24  # those that exist at once; and the backward pass has about three tensors of their size


@dataclass(frozen=True)
class Device:
    """What is needed of each of `count` processes, or of the GPU that one computes on.

    Attributes:
        name: Whose it is.
        parts: Megabytes by part, of what is held at the moment at which it is most.
        count: How many there are alike.
        gpu: Whether it is the memory of a GPU.
    """

    name: str
    parts: Mapping[str, float]
    count: int = 1
    gpu: bool = False

    @property
    def total(self) -> float:
        """Megabytes of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Sizes:
    """A model in numbers: its shape, all parameters, those of the decoder, of its largest layer, those that learn."""

    shape: PretrainedConfig
    parameters: int
    decoder: int
    layer: int
    trained: int


def sizes(settings: ModelSettings, lora: LoraSettings | None = None) -> Sizes:
    """Return the sizes of a model.

    Raises:
        UserError: It cannot be read.
    """
    shape = load_config(settings)
    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(shape)
    whole, decoder = (sum(p.numel() for p in part.parameters()) for part in (made, made.get_decoder()))
    layers = getattr(made.get_decoder(), "layers", [])
    layer = max((sum(p.numel() for p in each.parameters()) for each in layers), default=whole)
    trained = whole
    if lora is not None:
        model = load_skeleton(settings)
        add_adapters(model, lora, 0)
        trained = sum(parameter.numel() for parameter in adapter_parameters(model).values())
    return Sizes(shape, whole, decoder, layer, trained)


def devices(config: TrainConfig) -> list[Device]:
    """Return what the run needs of each device.

    Raises:
        UserError: The model cannot be read.
    """
    policy = sizes(config.model, config.lora)
    value = None
    if config.value is not None:
        value = sizes(config.model.model_copy(update={"path": config.value.model or config.model.path}))
    judge = None
    if config.reward_model is not None:
        judge = sizes(config.model.model_copy(update={"path": config.reward_model.path}))
    engine, gpu = _engine(config, policy), _on_gpu(config.model)
    if not isinstance(config.cluster, RaySettings):
        kinds = ("policy", "learners", "reference", "reward_model")
        return [Device("this process", _workers(config, policy, value, judge, kinds, 1) | engine, 1, gpu)]
    shape = shape_of(config, config.cluster)
    found = [
        Device(
            f"a rank of {name}", _workers(config, policy, value, judge, kinds, shape.ranks), shape.ranks, shape.gpus > 0
        )
        for name, kinds in pools_of(config, config.cluster).items()
    ]
    if isinstance(config.engine, EmbeddedSettings):
        own = {"weights of the engine": policy.parameters * _size(config) / MB}
        found.append(Device("this process", own | engine, 1, gpu))
    return found


def memory_mb(gpu: bool) -> float:
    """Return the memory that a device of this machine has: of the smallest GPU, or the main memory."""
    if gpu and torch.cuda.is_available():
        each = [torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]
        return min(each) / MB
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MB


def remedies(config: TrainConfig) -> Iterator[tuple[str, TrainConfig]]:
    """Yield settings that save memory, each with the configuration that has it."""
    trainer, worker, engine = config.trainer, config.worker, config.engine
    if not worker.recompute:
        yield "worker.recompute=true", _with(config, "worker", worker.model_copy(update={"recompute": True}))
    half = max(1, trainer.micro_tokens // 2)
    yield f"trainer.micro_tokens={half}", _with(config, "trainer", trainer.model_copy(update={"micro_tokens": half}))
    if isinstance(engine, EmbeddedSettings) and engine.rows > 1:
        rows = engine.rows // 2
        yield f"engine.rows={rows}", _with(config, "engine", engine.model_copy(update={"rows": rows}))
    if config.lora is None:
        yield "lora.rank=16", _with(config, "lora", LoraSettings())
    if config.model.dtype == "float32":
        lower = config.model.model_copy(update={"dtype": "bfloat16"})
        yield "model.dtype=bfloat16", _with(config, "model", lower)
    if isinstance(config.cluster, RaySettings):
        ranks = config.cluster.ranks * 2
        more = config.cluster.model_copy(update={"ranks": ranks})
        yield f"cluster.ranks={ranks}", _with(config, "cluster", more)


def _with(config: TrainConfig, section: str, value: object) -> TrainConfig:
    return config.model_copy(update={section: value})


def _on_gpu(settings: ModelSettings) -> bool:
    return settings.device.startswith("cuda") or (settings.device == "auto" and torch.cuda.is_available())


def _size(config: TrainConfig) -> int:
    return 4 if config.model.dtype == "float32" else 2


def _workers(
    config: TrainConfig, policy: Sizes, value: Sizes | None, judge: Sizes | None, kinds: tuple[str, ...], ranks: int
) -> dict[str, float]:
    """Return the parts of the workers of some kinds in each of `ranks` ranks."""
    each, parts = _size(config) / MB / ranks, dict[str, float]()
    learning: list[tuple[str, Sizes, int, int]] = []
    if "policy" in kinds:
        learning.append(("", policy, policy.parameters, policy.trained))
    if value is not None and "learners" in kinds:
        learning.append((" of the value model", value, value.decoder, value.decoder))
    if config.process is not None and "learners" in kinds:
        learning.append((" of the process reward model", policy, policy.parameters, policy.parameters))
    if config.worker.offload:  # they wait in main memory
        each = 0.0
    for whose, _, held, trained in learning:
        parts[f"weights{whose}"] = held * each
        parts[f"optimizer{whose}"] = 2 * trained * each
    if (
        "reference" in config.algorithm.needs
        and "reference" in kinds
        and (config.lora is None or "policy" not in kinds)
    ):
        parts["reference"] = policy.parameters * each
    computing = [model for _, model, _, _ in learning] or ([policy] if "reference" in kinds else [])
    judging: dict[str, float] = {}
    if judge is not None and "reward_model" in kinds:
        parts["reward model"], judging = _judging(config, judge, each)
    if ranks > 1:
        sharded = [*computing, judge] if judge is not None and "reward_model" in kinds and not judging else computing
        parts |= _gathered(config, sharded)
    # Workers learn one after the other, and each drops its gradients when it has learned.
    update = {
        "gradients": max((trained for *_, trained in learning), default=0) * each,
        "activations": max((_activations(config, model) for _, model, _, _ in learning), default=0.0),
    }
    if config.trainer.async_checkpoints and not _on_gpu(config.model):  # it is written during the next update
        states = sum(2 * trained + (held if whose else 0) for whose, _, held, trained in learning) * each
        model = policy.parameters * _size(config) / MB if "policy" in kinds else 0.0
        return parts | update | {"copy for a checkpoint": states + model}
    whole_copy = "policy" in kinds and (config.lora is not None or ranks > 1) and not _on_gpu(config.model)
    checkpoint = {"copy for a checkpoint": policy.parameters * _size(config) / MB} if whole_copy else {}
    moment = max(update, checkpoint, judging, key=lambda moment: sum(moment.values()))
    return parts | (moment if any(moment.values()) else {})


def _gathered(config: TrainConfig, models: list[Sizes]) -> dict[str, float]:
    """Return what is whole of models that are dealt out: the layer that computes, the next one, and what is in none."""
    whole = max((2 * model.layer + model.parameters - _in_layers(model) for model in models), default=0)
    size = 2 if config.worker.compute == "bfloat16" else _size(config)
    return {"gathered weights": whole * size / MB} if models else {}


def _in_layers(model: Sizes) -> int:
    return model.layer * int(model.shape.num_hidden_layers)


def _activations(config: TrainConfig, model: Sizes) -> float:
    """Return what a micro batch keeps for its backward pass, with the logits that exist at once (MB)."""
    shape, tokens = model.shape, config.trainer.micro_tokens / config.worker.sequence_parallel
    width, layers = shape.hidden_size, shape.num_hidden_layers
    layer = 16 * width + 5 * shape.intermediate_size
    kept = layer + layers * width if config.worker.recompute else layers * layer
    size = 2 if config.worker.compute == "bfloat16" else _size(config)
    logits = min(tokens, max(1, _LOGITS // shape.vocab_size)) * shape.vocab_size * 4 * 3
    return float(tokens * kept * size + logits) / MB


def _judging(config: TrainConfig, judge: Sizes, each: float) -> tuple[float, dict[str, float]]:
    """Return what a reward model holds (MB), and what else it needs while it judges.

    One that writes verdicts is whole in every rank, and has a cache then; its own tokens may be more than the policy's.
    """
    settings = config.reward_model
    if not isinstance(settings, GenerativeSettings):
        return judge.decoder * each, {}
    longest = config.rollout.limits.episode_tokens + settings.answer_tokens
    cache = settings.rows * _row(config, judge, longest) / MB
    return judge.parameters * _size(config) / MB, {"cache of the reward model": cache}


def _row(config: TrainConfig, model: Sizes, tokens: int) -> float:
    """Return the bytes of keys and values of an episode of some tokens, as the cache has room for them."""
    shape = model.shape
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    longest = min(ceil(tokens / _GROW) * _GROW, shape.max_position_embeddings)
    return float(longest * 2 * shape.num_hidden_layers * shape.num_key_value_heads * width * _size(config))


def _engine(config: TrainConfig, policy: Sizes) -> dict[str, float]:
    """Return what the engine needs in this process."""
    if not isinstance(config.engine, EmbeddedSettings):
        return {}
    size = _size(config)
    parts = {"cache": config.engine.rows * _row(config, policy, config.rollout.limits.episode_tokens) / MB}
    if config.rollout.mode == "async" and not isinstance(config.cluster, RaySettings):
        parts["weights of the engine"] = policy.parameters * size / MB
    return parts


def too_much(found: list[Device], config: TrainConfig, available_mb: float | None = None) -> list[str]:
    """Return a sentence for each device that has less memory than is needed, libraries of each process included."""
    sentences, main = [], 0.0
    for device in found:
        if device.gpu:
            there = available_mb or memory_mb(gpu=True)
            if device.total > there:
                sentences.append(f"{device.name} needs {device.total:.0f} MB of a GPU with {there:.0f} MB")
        else:
            main += device.count * (device.total + LIBRARIES_MB)
    there = available_mb or memory_mb(gpu=False)
    elsewhere = isinstance(config.cluster, RaySettings) and config.cluster.address is not None
    if main > there and not elsewhere:
        sentences.append(f"the run needs {main:.0f} MB of main memory, of which there are {there:.0f} MB")
    return sentences


def helpful(config: TrainConfig, available_mb: float | None = None) -> list[tuple[str, float, bool]]:
    """Return settings that save memory, what each saves of the largest device (MB), and whether it suffices alone."""
    before = max(device.total for device in devices(config))
    found = []
    for setting, changed in remedies(config):
        try:
            after = devices(changed)
        except UserError:  # adapters need a package, and modules to be put into
            continue
        saved = before - max(device.total for device in after)
        if saved > 0:
            found.append((setting, saved, not too_much(after, changed, available_mb)))
    return sorted(found, key=lambda one: -one[1])
