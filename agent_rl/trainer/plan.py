"""`--dry-run`: the arithmetic of a run in words, before anything is loaded."""

from collections.abc import Iterator

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from agent_rl.models.loading import load_config, load_skeleton
from agent_rl.models.lora import add_adapters
from agent_rl.models.settings import ModelSettings
from agent_rl.models.weights import adapter_parameters
from agent_rl.rollout.engines.build import check_limits
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.trainer.cluster.placement import pools_of, shape_of
from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.settings import TrainConfig

_MB = 2**20


def explain(config: TrainConfig) -> Iterator[str]:
    """Yield the batch arithmetic and the memory that a run needs, a sentence a line.

    Raises:
        UserError: The model cannot be read, or its context is too short for the limits.
    """
    check_limits(config.engine, config.model, config.rollout.limits)
    trainer, samples = config.trainer, config.algorithm.samples
    env = config.env.build()
    there = {split: len(env.task_set(split)) for split in ("train", config.eval.split)}
    yield f"Tasks: {', '.join(f'{tasks} in {split}' for split, tasks in there.items())}."
    episodes = trainer.tasks * samples
    yield (
        f"Each step: {trainer.tasks} tasks x {samples} samples = {episodes} trajectories, dealt into "
        f"{trainer.mini_batches} mini batches of {-(-episodes // trainer.mini_batches)} "
        f"= {trainer.mini_batches} optimizer steps."
    )
    if config.algorithm.advantage.greedy:
        yield f"Beside them {trainer.tasks} greedy episodes, one per task, which nothing is learned from."
    if config.algorithm.loss.guided:
        yield f"Beside them {trainer.tasks} demonstrations of the environment, one per task."
    yield (
        f"The run: {trainer.steps} steps = {trainer.steps * episodes} trajectories and "
        f"{trainer.steps * trainer.mini_batches} optimizer steps{_waits(config)}."
    )
    yield from _ahead(config)
    limits = config.rollout.limits
    yield (
        f"An episode has at most {limits.turns} turns of {limits.turn_tokens} sampled tokens and "
        f"{limits.episode_tokens} tokens in all; micro batches hold {trainer.micro_tokens} tokens."
    )
    if config.eval.tasks:
        measured = min(config.eval.tasks, there[config.eval.split]) * config.eval.samples
        modes = " and ".join(config.eval.modes)
        yield f"Evaluation: {measured} episodes on '{config.eval.split}', {modes}, before and after."
    if isinstance(config.cluster, RaySettings):
        yield from _placed(config, config.cluster)
    yield from _memory(config)


def _placed(config: TrainConfig, settings: RaySettings) -> Iterator[str]:
    """Yield where the workers live, a sentence for each pool of actors."""
    shape = shape_of(config, settings)
    where = f"of the Ray cluster at {settings.address}" if settings.address else "of a Ray cluster of the run's own"
    for name, kinds in pools_of(config, settings).items():
        together = f"{shape.ranks} ranks (placed by {shape.strategy}, meeting over {shape.backend})"
        ranks = "1 rank" if shape.ranks == 1 else together
        yield f"Actors {where}, '{name}': {ranks}, each with {shape}, for {' and '.join(kinds)}."


def _waits(config: TrainConfig) -> str:
    waits = config.policy_waits
    return f"; in the first {waits} steps the value model alone learns" if waits else ""


def _ahead(config: TrainConfig) -> Iterator[str]:
    """Yield how many groups are begun before they are needed, where the mode begins any."""
    rollout, tasks = config.rollout, config.trainer.tasks
    if rollout.mode == "oversample":
        left = "carried over" if rollout.leftover == "carry" else "begun anew"
        begun = round(rollout.oversample * tasks)
        yield f"Each step has {begun} groups in flight; {tasks} suffice, the others are {left}."
    if rollout.mode == "async":
        yield f"At most {(1 + rollout.staleness) * tasks} groups have been begun and not been learned from."


def _memory(config: TrainConfig) -> Iterator[str]:
    model, parameters, _ = _shape(config.model)
    size = 4 if config.model.dtype == "float32" else 2
    # Seen on small models: per token and layer some 16 activations of the hidden size and 5 of the inner one are kept.
    layer, layers = 16 * model.hidden_size + 5 * model.intermediate_size, model.num_hidden_layers
    kept = layer + layers * model.hidden_size if config.worker.recompute else layers * layer
    activations = config.trainer.micro_tokens * kept * size
    weights, trained = parameters * size, _trained(config, parameters)
    held = "reference" in config.algorithm.needs and config.lora is None
    reference = f"those of the reference {weights / _MB:.0f} MB, " if held else ""
    adapters = f" and {trained / 1e6:.2f} million in adapters" if config.lora is not None else ""
    yield (
        f"Memory: {parameters / 1e6:.2f} million parameters{adapters}: weights {weights / _MB:.0f} MB, {reference}"
        f"gradients and optimizer {3 * trained * size / _MB:.0f} MB, {_value(config, size)}"
        f"{_process(config, parameters * size)}"
        f"{_engine(config, model, size, weights)}, activations of a micro batch about {activations / _MB:.0f} MB; "
        "beside that the Python libraries, about 600 MB."
    )


def _shape(settings: ModelSettings) -> tuple[PretrainedConfig, int, int]:
    """Return the configuration of a model, its parameters, and those of its decoder alone."""
    model = load_config(settings)
    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(model)
    return model, *(sum(p.numel() for p in part.parameters()) for part in (made, made.get_decoder()))


def _trained(config: TrainConfig, parameters: int) -> int:
    """Return how many parameters of the policy learn; it has `parameters` without adapters."""
    if config.lora is None:
        return parameters
    model = load_skeleton(config.model)
    add_adapters(model, config.lora, 0)
    return sum(parameter.numel() for parameter in adapter_parameters(model).values())


def _value(config: TrainConfig, size: int) -> str:
    """Return what the value model needs, where there is one."""
    if config.value is None:
        return ""
    parameters = _shape(config.model.model_copy(update={"path": config.value.model or config.model.path}))[2]
    return f"the value model with its gradients and optimizer {4 * parameters * size / _MB:.0f} MB, "


def _process(config: TrainConfig, weights: int) -> str:
    """Return what the process reward model needs, where there is one; it is as large as the policy."""
    if config.process is None:
        return ""
    return f"the process reward model with its gradients and optimizer {4 * weights / _MB:.0f} MB, "


def _engine(config: TrainConfig, model: PretrainedConfig, size: int, weights: int) -> str:
    """Return what the engine needs in this process."""
    if not isinstance(config.engine, EmbeddedSettings):
        return "key-value cache in the servers"
    own = config.rollout.mode == "async" or isinstance(config.cluster, RaySettings)
    width = getattr(model, "head_dim", None) or model.hidden_size // model.num_attention_heads
    row = 2 * model.num_hidden_layers * model.num_key_value_heads * width * size
    cache = config.engine.rows * min(config.rollout.limits.episode_tokens, model.max_position_embeddings) * row
    return f"key-value cache {cache / _MB:.0f} MB" + (
        f" and weights of the engine's own {weights / _MB:.0f} MB" if own else ""
    )
