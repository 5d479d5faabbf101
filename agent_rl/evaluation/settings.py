"""Settings of evaluations."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from agent_rl.core.settings import Settings
from agent_rl.envs.section import EnvSection
from agent_rl.models.loading import ModelSettings
from agent_rl.rollout.engines.embedded.engine import EmbeddedSettings
from agent_rl.rollout.manager import RolloutSettings
from agent_rl.rollout.renderer import RendererSettings


class Measure(Settings):
    """What is measured, and how."""

    split: str = "test"
    """The split to measure on."""
    tasks: NonNegativeInt = 600
    """The split's first so many tasks."""
    modes: list[Literal["greedy", "sampled"]] = Field(default=["greedy", "sampled"], min_length=1)
    """Greedy decoding, sampling at temperature 1, or both."""
    samples: PositiveInt = 1
    """Episodes per task."""
    success_at: PositiveFloat = 1.0
    """Reward from which an episode counts as a success."""


class EvaluationSettings(Measure):
    """Held-out evaluation around training; `tasks=0` switches it off."""

    every: NonNegativeInt = 0
    """Training steps between greedy evaluations; 0 for only before and after."""


class EvalConfig(Measure):
    """Everything `agent-rl eval` reads."""

    env: EnvSection = EnvSection()
    """The environment and its settings."""
    model: ModelSettings = ModelSettings()
    """What is measured."""
    engine: EmbeddedSettings = EmbeddedSettings()
    """What generates."""
    renderer: RendererSettings = RendererSettings()
    """How messages become tokens."""
    rollout: RolloutSettings = RolloutSettings()
    """How episodes are rolled out."""
    seed: NonNegativeInt = 0
    """Seeds the sampling."""
    out: str | None = None
    """A folder for the figures and the trajectories; without it they are only printed."""
