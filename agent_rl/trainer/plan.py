"""`--dry-run` and `agent-rl plan`: the arithmetic of a run in words and figures, before anything is loaded."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from agent_rl.rollout.engines.build import check_limits
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.trainer.cluster.placement import pools_of, shape_of
from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.durations import assumptions, measure_speed, seconds
from agent_rl.trainer.memory import LIBRARIES_MB, Device, devices, helpful, sizes, too_much
from agent_rl.trainer.settings import TrainConfig


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
    if (judge := config.reward_model) is not None:
        instead = ", instead of the environment" if judge.replace else ", beside the environment"
        yield f"Each finished episode is judged by the {judge.name} reward model {judge.path}{instead}."
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
    policy = sizes(config.model, config.lora)
    adapters = f" and {policy.trained / 1e6:.2f} million in adapters" if config.lora is not None else ""
    found = devices(config)
    for device in found:
        each = f"each of {device.count}: " if device.count > 1 else ""
        parts = ", ".join(f"{name} {size:.0f} MB" for name, size in device.parts.items())
        yield (
            f"Memory: {policy.parameters / 1e6:.2f} million parameters{adapters}; {device.name}, {each}{parts}, "
            f"together {device.total:.0f} MB; beside that the Python libraries, about {LIBRARIES_MB} MB."
        )
    if not isinstance(config.engine, EmbeddedSettings):
        yield "The servers have weights and a key-value cache of their own."


@dataclass(frozen=True)
class Plan:
    """What `agent-rl plan` says.

    Attributes:
        sentences: The arithmetic of the run and the memory that it needs, as in `explain`.
        parameters: Of the policy's model.
        devices: The memory of each device by part.
        lacking: A sentence for each device that has too little.
        helpful: Settings that save memory, the megabytes that each saves, and whether it suffices alone.
        seconds: That the arithmetic of each phase of a step takes.
        assumptions: Of the seconds.
    """

    sentences: list[str]
    parameters: int
    devices: list[Device]
    lacking: list[str]
    helpful: list[tuple[str, float, bool]]
    seconds: dict[str, float]
    assumptions: list[str]

    def lines(self) -> Iterator[str]:
        """Yield all of it for people."""
        yield from self.sentences
        yield from (f"It does not fit: {sentence}." for sentence in self.lacking)
        for setting, saved, suffices in self.helpful:
            alone = "; with it alone the run fits" if suffices and self.lacking else ""
            yield f"{setting} saves {saved:.0f} MB{alone}."
        steps = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in self.seconds.items())
        yield f"The arithmetic of a step takes about: {steps}. Assumed: {'; '.join(self.assumptions)}."

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        shown = [asdict(device) | {"total": device.total} for device in self.devices]
        return {
            "fits": not self.lacking,
            "parameters": self.parameters,
            "devices_mb": shown,
            "lacking": self.lacking,
            "helpful": [{"setting": name, "saves_mb": mb, "fits": suffices} for name, mb, suffices in self.helpful],
            "seconds": self.seconds,
            "assumptions": self.assumptions,
        }


def make_plan(config: TrainConfig, available_mb: float | None = None) -> Plan:
    """Return the plan of a run; nothing is loaded or started, but the speed of this machine is measured.

    Args:
        config: The run.
        available_mb: Memory of each device; by default what those of this machine have.

    Raises:
        UserError: As `explain`.
    """
    sentences = list(explain(config))
    policy, found, speed = sizes(config.model, config.lora), devices(config), measure_speed(config)
    return Plan(
        sentences=sentences,
        parameters=policy.parameters,
        devices=found,
        lacking=too_much(found, config, available_mb),
        helpful=helpful(config, available_mb),
        seconds=seconds(config, policy, speed),
        assumptions=assumptions(config, speed),
    )
