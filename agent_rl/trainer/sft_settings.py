"""The configuration of `agent-rl sft`."""

from pathlib import PurePath
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from agent_rl.core.errors import UserError
from agent_rl.core.settings import Settings
from agent_rl.envs.section import EnvSection
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.renderer import RendererSettings
from agent_rl.trainer.optimizer import OptimizerSettings


class SupervisedSettings(Settings):
    """Supervised training: on demonstrations of the environment, or on what `data` holds."""

    data: str | None = Field(default=None, min_length=1)
    """A JSONL or parquet file with a conversation a row: `messages` in the OpenAI format, and `tools` if there are any.
    Or a run, whose saved trajectories are imitated as they were sampled. Null: demonstrations of the environment."""
    min_reward: float | None = None
    """Of a run's episodes: only those with at least this reward; null: all that did not fail."""
    max_tokens: PositiveInt | None = None
    """Longer examples of `data` are left out, and counted; null: those that the model cannot read."""
    epochs: PositiveInt | None = None
    """How often all of `data` is shown, each time in another order; null: once."""
    steps: PositiveInt | None = None
    """Optimizer steps; null: as many as `epochs` make, 4000 on demonstrations."""
    batch: PositiveInt = 16
    """Examples in one step; no demonstration is shown twice."""
    micro_tokens: PositiveInt = 65536
    """Tokens computed at once; the result depends on it by rounding only."""
    from_scratch: bool = False
    """Begin with random weights and a tokenizer trained on demonstrations; the defaults are the shape of `tiny`."""
    vocabulary: int = Field(default=512, ge=300)
    """Tokens of the tokenizer made with `from_scratch`."""
    layers: PositiveInt = 4
    """Layers of the model made with `from_scratch`."""
    width: int = Field(default=128, ge=8, multiple_of=8)
    """Width of the model made with `from_scratch`, shared by its four heads."""
    log_every: PositiveInt = 25
    """Steps between lines in metrics.jsonl."""

    default_steps: ClassVar[int] = 4000
    """Optimizer steps on demonstrations."""

    @model_validator(mode="after")
    def _read_by_someone(self) -> "SupervisedSettings":
        """Refuse what would have no effect."""
        if self.data is None:
            if unread := [name for name in ("min_reward", "max_tokens", "epochs") if getattr(self, name) is not None]:
                raise UserError(f"'sft.{unread[0]}' has no effect without sft.data")
        elif self.from_scratch:
            raise UserError("'sft.from_scratch' needs demonstrations, and sft.data has none")
        elif self.epochs is not None and self.steps is not None:
            raise UserError("give sft.epochs or sft.steps, not both")
        return self


class DemonstrationOptimizerSettings(OptimizerSettings):
    """The optimizer, with the defaults of supervised training."""

    lr: PositiveFloat = 3e-3
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the rate goes from its peak, after the warm-up, to 0 at the last step."""
    warmup: NonNegativeInt = 50
    """Steps over which the rate rises linearly from 0."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """Decoupled weight decay."""


class SftConfig(Settings):
    """Everything `agent-rl sft` reads."""

    env: EnvSection = EnvSection()
    """The environment that demonstrates."""
    model: ModelSettings = ModelSettings()
    """The model to train."""
    renderer: RendererSettings = RendererSettings()
    """How messages become tokens."""
    optimizer: DemonstrationOptimizerSettings = DemonstrationOptimizerSettings()
    """The optimizer."""
    sft: SupervisedSettings = SupervisedSettings()
    """The loop."""
    seed: NonNegativeInt = 0
    """Seeds everything random."""
    out: str | None = None
    """The run folder; by default a new one below runs/."""

    @property
    def label(self) -> str:
        """What the run folder is named after: whose conversations it learns."""
        return self.env.label if self.sft.data is None else PurePath(self.sft.data).stem
