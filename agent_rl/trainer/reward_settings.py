"""The section `reward_model`, apart from the code that reads it and transformers with it."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from agent_rl.core.settings import Settings
from agent_rl.rollout.renderer.settings import RendererSettings


class _RewardModelSettings(Settings):
    """What reward models have in common."""

    path: str = Field(min_length=1)
    """A folder in Hugging Face format, a run, or a name on the Hugging Face hub."""
    weight: float = 1.0
    """What the score of an episode is multiplied by before it is added to the reward of its last turn."""
    replace: bool = False
    """Learn from the score alone; the environment's rewards are still what metrics and evaluations show."""
    renderer: RendererSettings = RendererSettings()
    """How conversations become the model's tokens."""


class ScalarSettings(_RewardModelSettings):
    """A model with a head of one number, which reads a finished episode."""

    name: Literal["scalar"] = "scalar"
    """`scalar`: a model with a head of one number; `generative`: a model that writes a verdict."""
    reads: Literal["messages", "tokens"] = "messages"
    """`messages`, as its own chat template writes them, or the policy's own `tokens`, where it has the same
    vocabulary."""
    squash: Literal["none", "sigmoid"] = "none"
    """`sigmoid` makes scores of any size lie between 0 and 1."""
    max_tokens: PositiveInt | None = None
    """Longer conversations lose their beginning, and are counted; null: what the model can read."""

    @model_validator(mode="after")
    def _read(self) -> "ScalarSettings":
        if self.reads == "tokens" and self.renderer != RendererSettings():
            raise ValueError("renderer has no effect with reads=tokens")
        return self


class GenerativeSettings(_RewardModelSettings):
    """A model that is told what to judge and by which standard, and writes a verdict."""

    name: Literal["generative"] = "generative"
    """`scalar`: a model with a head of one number; `generative`: a model that writes a verdict."""
    prompt: str = Field(default="How well has the assistant done what it was asked to do?", min_length=1)
    """What to judge in the conversation, and by which standard."""
    scale: tuple[float, float] = (0.0, 10.0)
    """The worst and the best verdict; the score is where between them it lies, from 0 to 1."""
    retries: NonNegativeInt = 2
    """How often it is asked again after an answer without a valid verdict."""
    answer_tokens: PositiveInt = 512
    """Most tokens of an answer."""
    rows: PositiveInt = 32
    """Conversations that are judged at once in each rank."""

    @field_validator("scale")
    @classmethod
    def _grows(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not scale[0] < scale[1]:
            raise ValueError("a scale goes from the worst to the best verdict, the smaller number first")
        return scale


RewardModelSettings = ScalarSettings | GenerativeSettings
"""A reward model of either kind."""
