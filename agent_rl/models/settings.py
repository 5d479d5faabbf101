"""Settings of models, apart from the code that loads one and torch with it."""

from typing import Literal

from pydantic import Field, PositiveInt

from agent_rl.core.settings import Settings


class ModelSettings(Settings):
    """Which model."""

    path: str = "tiny"
    """`tiny` or another of the shipped models (`tiny_…`), a run folder, a folder in Hugging Face format, or a name on
    the Hugging Face hub."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights."""
    device: str = Field(default="auto", pattern="^(auto|cpu|cuda(:[0-9]+)?)$")
    """`cpu`, `cuda`, or `auto`: a GPU if there is one."""


class LoraSettings(Settings):
    """Low-rank adapters that are trained instead of the model."""

    rank: PositiveInt = 16
    """Rank of what is added to a matrix."""
    alpha: PositiveInt = 32
    """What is added is multiplied by alpha / rank."""
    targets: str | list[str] = "all-linear"
    """The modules that get one, by the ends of their names, or `all-linear`: all but the output layer."""
