"""The configuration of `agent-rl train`: the rooms' settings put side by side."""

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.envs.section import EnvSection
from agent_rl.evaluation.settings import EvaluationSettings, check_concurrency
from agent_rl.models.settings import LoraSettings, ModelSettings
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.rollout.engines.sglang.settings import SglangSettings
from agent_rl.rollout.renderer import RendererSettings
from agent_rl.rollout.settings import RolloutSettings
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.settings import SandboxSettings
from agent_rl.tools.settings import ToolsSettings
from agent_rl.tracking import TRACKERS
from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.process import ProcessSettings
from agent_rl.trainer.algorithms.values import ValueSettings
from agent_rl.trainer.cluster.settings import InlineSettings, RaySettings
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.reward_settings import RewardModelSettings
from agent_rl.trainer.worker_settings import WorkerSettings


def _numbers(given: object) -> object:
    """Let a single number stand for a list of one."""
    return [given] if isinstance(given, int) and not isinstance(given, bool) else given


class TrainerSettings(Settings):
    """The loop. Sizes are counted in tasks and trajectories, for the whole run."""

    steps: PositiveInt = 30
    """Rollouts to learn from."""
    tasks: PositiveInt = 16
    """Tasks in one rollout; each is sampled `algorithm.samples` times."""
    mini_batches: PositiveInt = 2
    """Optimizer steps on one rollout; its trajectories are dealt out evenly among them."""
    micro_tokens: PositiveInt = 8192
    """Tokens computed at once, those that sequences begin with in common counted once; the result depends on it by
    rounding only."""
    skipped_budget: NonNegativeInt = 10
    """Updates of the run that may be skipped because a loss or gradient is not finite; over it the run stops."""
    mismatch_alarm: PositiveFloat = 0.1
    """Warn when the log-probabilities (nats) of engine and trainer differ by more than this on average."""
    checkpoint_every: PositiveInt = 1
    """Steps between checkpoints; the last step always has one."""
    keep_checkpoints: PositiveInt = 2
    """Newest checkpoints to keep."""
    async_checkpoints: bool = False
    """Copy a checkpoint in main memory within its step, and write it while the next steps run. A run that is killed
    meanwhile goes on from the one before."""
    profile: Annotated[list[PositiveInt], BeforeValidator(_numbers)] = Field(default_factory=list)
    """Steps, from 1, of which a trace of what torch does is written to the run's `profiles`: 3, or [3,4]."""

    @model_validator(mode="after")
    def _profile_comes(self) -> "TrainerSettings":
        if beyond := [step for step in self.profile if step > self.steps]:
            raise ValueError(f"trainer.profile={beyond[0]} is beyond the last of {self.steps} steps")
        return self


def _listed(given: object) -> object:
    """Let a single name stand for a list of one, and refuse unknown ones."""
    names = [given] if isinstance(given, str) else given
    for name in names if isinstance(names, list) else []:
        TRACKERS[str(name)]
    return names


def _trainable(given: object) -> object:
    """Refuse an engine from which nothing can be learned."""
    name = given.get("name") if isinstance(given, dict) else None
    if name == "openai":
        raise ValueError("a hosted model returns text, not the tokens that training needs; use engine=openai with eval")
    if name == "scripted":
        raise ValueError("a script learns nothing; use engine=scripted with eval")
    return given


def _or_default(given: object) -> object:
    """Take the default for the nothing that the preset of a hosted model says."""
    return {} if given is None else given


class TrainConfig(Settings):
    """Everything `agent-rl train` reads."""

    env: EnvSection = EnvSection()
    """The environment and its settings."""
    model: Annotated[ModelSettings, BeforeValidator(_or_default)] = ModelSettings()
    """The policy."""
    lora: LoraSettings | None = None
    """The adapters that the policy learns; null: it learns all of its weights."""
    engine: Annotated[EmbeddedSettings | SglangSettings, Field(discriminator="name"), BeforeValidator(_trainable)] = (
        EmbeddedSettings()
    )
    """What generates."""
    cluster: Annotated[InlineSettings | RaySettings, Field(discriminator="name")] = InlineSettings()
    """Where the workers live."""
    renderer: RendererSettings = RendererSettings()
    """How messages become tokens."""
    rollout: RolloutSettings = RolloutSettings()
    """How episodes are rolled out."""
    tools: ToolsSettings = ToolsSettings()
    """The tools of the environment, whichever it is."""
    sandbox: SandboxSettings = LocalSettings()
    """What runs the programs that environments and tools want run."""
    sampling: Sampling = Sampling()
    """How tokens are drawn in training."""
    algorithm: AlgorithmSettings = AlgorithmSettings()
    """What is learned from an episode."""
    optimizer: OptimizerSettings = OptimizerSettings()
    """The optimizer."""
    trainer: TrainerSettings = TrainerSettings()
    """The loop."""
    worker: WorkerSettings = WorkerSettings()
    """How models that train or judge are held in memory."""
    value: ValueSettings | None = Field(default=None, validate_default=True)
    """The value model; null where the algorithm needs none."""
    process: ProcessSettings | None = Field(default=None, validate_default=True)
    """The process reward model; null where the algorithm needs none."""
    reward_model: RewardModelSettings | None = Field(default=None, discriminator="name")
    """A model that judges finished episodes; null: the environment's rewards are all there is."""
    eval: EvaluationSettings = EvaluationSettings()
    """Held-out evaluation before, during and after training."""
    tracker: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    """Trackers beside the console and metrics.jsonl: swanlab."""
    seed: NonNegativeInt = 0
    """Seeds everything random."""
    out: str | None = None
    """The run folder; by default a new one below runs/."""

    @field_validator("value", "process", mode="before")
    @classmethod
    def _only_where_needed(cls, given: Any, info: ValidationInfo) -> Any:
        """Take the default where the algorithm needs the model, and refuse settings that nothing would read."""
        if "algorithm" not in info.data:  # which is wrong itself
            return None
        advantage = info.data["algorithm"].advantage
        section = str(info.field_name)
        if {"value": "values", "process": "process"}[section] in advantage.needs:
            return {} if given is None else given
        if given is not None:
            key = f"{section}.{next(iter(given))}" if isinstance(given, dict) and given else section
            raise UserError(f"'{key}' has no effect with algorithm.advantage={advantage.name}")
        return None

    @field_validator("sampling")
    @classmethod
    def _drawn(cls, sampling: Sampling) -> Sampling:
        """Refuse what nothing can be learned from."""
        if sampling.temperature == 0:
            raise ValueError(
                "temperature=0 cannot be used in training: nothing is drawn, so that there is nothing to compare"
            )
        return sampling

    @model_validator(mode="after")
    def _ratios_are_right(self) -> "TrainConfig":
        """Refuse to draw from a part of the tokens where the engine does not say from which."""
        cut = "top_p" if self.sampling.top_p < 1 else "top_k" if self.sampling.top_k else None
        if cut and not isinstance(self.engine, EmbeddedSettings):
            raise ValueError(
                f"sampling.{cut} cannot be used in training with engine={self.engine.name}: it does not say what "
                "tokens were drawn from, and the loss would take wrong ratios; use sampling.temperature"
            )
        return self

    @model_validator(mode="after")
    def _policy_learns(self) -> "TrainConfig":
        if self.policy_waits >= self.trainer.steps:
            raise ValueError(f"value.warmup={self.policy_waits} leaves the policy none of {self.trainer.steps} steps")
        return self

    @model_validator(mode="after")
    def _held_as_said(self) -> "TrainConfig":
        ranks = self.cluster.ranks if isinstance(self.cluster, RaySettings) else 1
        self.worker.check(sharded=ranks > 1)
        if ranks % self.worker.sequence_parallel:
            raise UserError(
                f"cluster.ranks={ranks} is not a multiple of worker.sequence_parallel={self.worker.sequence_parallel}"
            )
        if self.worker.compute == self.model.dtype:
            raise UserError(f"'worker.compute' has no effect: it is model.dtype={self.model.dtype}")
        return self

    @model_validator(mode="after")
    def _enough_at_once(self) -> "TrainConfig":
        """Refuse a rollout in which the engine would wait for episodes that wait for the engine."""
        if self.rollout.mode == "sync":  # in the others no engine is deterministic
            check_concurrency(self.engine, self.rollout, max(self.algorithm.episodes, self.eval.samples))
        return self

    @model_validator(mode="after")
    def _judged_in_time(self) -> "TrainConfig":
        """Refuse what goes by the rewards of episodes before the reward model has judged them."""
        earlier = {
            "rollout.dynamic_sampling=true": self.rollout.dynamic_sampling,
            "rollout.curriculum.order=learnable": self.rollout.curriculum.order == "learnable",
        }
        for name, wanted in earlier.items():
            if wanted and self.reward_model is not None:
                raise ValueError(
                    f"{name} cannot be used with a reward_model: it goes by the rewards of the environment, while "
                    "groups are rolled out, and the model judges them afterwards"
                )
        return self

    @model_validator(mode="after")
    def _workers_fit(self) -> "TrainConfig":
        """Refuse what the cluster is told of workers and devices that the run does not have."""
        if not isinstance(self.cluster, RaySettings):
            return self
        if self.trainer.profile:
            raise ValueError("trainer.profile sees what happens in one process alone; use cluster=inline")
        there = {"learners": self.has_learners, "reference": "reference" in self.algorithm.needs}
        there["reward_model"] = self.reward_model is not None
        if unread := [name for name in self.cluster.apart if not there[name]]:
            why = "without one" if unread[0] == "reward_model" else f"with algorithm={self.algorithm.name}"
            raise ValueError(f"cluster.apart={unread[0]} has no effect {why}")
        if self.lora is not None and "reference" in self.cluster.apart:
            raise ValueError("cluster.apart=reference has no effect with lora: it is the policy without its adapters")
        device, gpus = self.model.device, self.cluster.gpus_per_rank
        if ":" in device:
            raise ValueError(f"model.device={device} has no effect with cluster=ray, which chooses among the GPUs")
        if gpus is not None and (gpus > 0) == (device == "cpu") and device != "auto":
            raise ValueError(f"cluster.gpus_per_rank={gpus:g} does not go with model.device={device}")
        return self

    @property
    def has_learners(self) -> bool:
        """Whether workers beside the policy learn."""
        return self.value is not None or self.process is not None

    @property
    def policy_waits(self) -> int:
        """First steps of the run in which the policy does not learn."""
        return 0 if self.value is None else self.value.warmup

    @property
    def run_name(self) -> str:
        """What the run folder is named after."""
        return f"{self.env.label}-{self.algorithm.name}"
