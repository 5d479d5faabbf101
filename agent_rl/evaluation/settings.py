"""Settings of evaluations."""

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from agent_rl.core.settings import Settings
from agent_rl.envs.section import EnvSection
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.rollout.engines.openai.settings import OpenAISettings
from agent_rl.rollout.engines.scripted import ScriptedSettings
from agent_rl.rollout.engines.sglang.settings import SglangSettings
from agent_rl.rollout.renderer import RendererSettings
from agent_rl.rollout.settings import PlaySettings
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.settings import SandboxSettings
from agent_rl.tools.settings import ToolsSettings


class Measure(Settings):
    """What is measured, and how."""

    split: str = "test"
    """The split to measure on."""
    tasks: NonNegativeInt = 600
    """The split's first so many tasks."""
    success_at: PositiveFloat = 1.0
    """Reward from which an episode counts as a success."""


class EvaluationSettings(Measure):
    """Held-out evaluation around training; `tasks=0` switches it off."""

    modes: list[Literal["greedy", "sampled"]] = Field(default=["greedy", "sampled"], min_length=1)
    """Greedy decoding, sampling at temperature 1, or both."""
    samples: PositiveInt = 1
    """Episodes per task."""
    every: NonNegativeInt = 0
    """Training steps between greedy evaluations; 0 for only before and after."""


class EvalConfig(Measure):
    """Everything `agent-rl eval` reads."""

    tasks: PositiveInt = 600
    """The split's first so many tasks."""
    n: PositiveInt = 1
    """Episodes per task."""
    temperature: float = Field(default=1.0, ge=0.0)
    """Divides the logits; 0 takes the most likely token."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Draw from the smallest set of tokens that holds this much probability."""
    top_k: NonNegativeInt = 0
    """Draw from this many most likely tokens; 0 from all."""
    env: EnvSection = EnvSection()
    """The environment and its settings."""
    engine: EmbeddedSettings | SglangSettings | OpenAISettings | ScriptedSettings = Field(
        default=EmbeddedSettings(), discriminator="name"
    )
    """What generates."""
    model: ModelSettings | None = ModelSettings()
    """What is measured; with engine=openai it is `engine.model` instead, with engine=scripted nothing of ours."""
    renderer: RendererSettings = RendererSettings()
    """How messages become tokens."""
    rollout: PlaySettings = PlaySettings()
    """How episodes are rolled out."""
    tools: ToolsSettings = ToolsSettings()
    """The tools of the environment, whichever it is."""
    sandbox: SandboxSettings = LocalSettings()
    """What runs the programs that environments and tools want run."""
    seed: NonNegativeInt = 0
    """Seeds the sampling."""
    out: str | None = None
    """A folder for the results and the trajectories; without it they are only printed."""

    @property
    def measured(self) -> str:
        """What the user calls the model that is measured."""
        if isinstance(self.engine, OpenAISettings):
            return self.engine.model
        return self.engine.name if self.model is None else self.model.path

    @property
    def sampling(self) -> Sampling:
        """How tokens are drawn."""
        return Sampling(temperature=self.temperature, top_p=self.top_p, top_k=self.top_k)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Say what has taken the place of keys that are no more."""
        for name, now in _RENAMED.items():
            if name in values:
                raise ValueError(f"there is no '{name}' any more: {now}")
        return values

    @model_validator(mode="before")
    @classmethod
    def _one_model(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Have no model of ours beside a hosted one or a script, and refuse one that is given."""
        engine = values.get("engine")
        name = engine.get("name") if isinstance(engine, dict) else getattr(engine, "name", None)
        if name not in ("openai", "scripted"):
            return values
        if values.get("model") is not None:
            instead = "give engine.model= alone" if name == "openai" else "there is none"
            raise ValueError(f"model= names a model on this machine; with engine={name} {instead}")
        return values | {"model": None}

    @model_validator(mode="after")
    def _enough_at_once(self) -> "EvalConfig":
        """Refuse a rollout in which the engine would wait for episodes that wait for the engine."""
        check_concurrency(self.engine, self.rollout, self.n)
        return self

    @model_validator(mode="after")
    def _renders(self) -> "EvalConfig":
        """Refuse settings of a renderer where none is used."""
        if isinstance(self.engine, OpenAISettings | ScriptedSettings) and self.renderer != RendererSettings():
            raise ValueError(f"renderer has no effect with engine={self.engine.name}")
        return self


def check_concurrency(engine: Settings, rollout: PlaySettings, samples: int) -> None:
    """Raise `ValueError` when fewer episodes may play at once than a deterministic engine waits for."""
    if isinstance(engine, EmbeddedSettings) and engine.deterministic and rollout.concurrency < engine.rows + samples:
        raise ValueError(
            f"rollout.concurrency={rollout.concurrency} is too small for engine.rows={engine.rows}: it must be at "
            f"least {engine.rows + samples}, or engine.deterministic=false"
        )


_RENAMED = {
    "samples": "it is called 'n'",
    "modes": "temperature=0 decodes greedily, 1 (the default) samples, and temperature=0,1 measures both",
}
