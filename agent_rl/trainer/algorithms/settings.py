"""The section `algorithm`: an estimator of advantages, a policy loss, and how tokens are averaged."""

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from agent_rl.core.chosen import Chosen
from agent_rl.core.settings import Settings
from agent_rl.trainer.algorithms.advantages import Grpo
from agent_rl.trainer.algorithms.aggregation import Aggregation
from agent_rl.trainer.algorithms.base import ADVANTAGES, LOSSES, Advantage, PolicyLoss
from agent_rl.trainer.algorithms.losses import Clip
from agent_rl.trainer.algorithms.overlong import Overlong


class AlgorithmSettings(Settings):
    """What is learned from episodes; `algorithm=NAME` takes all of it from a preset."""

    name: str = "grpo"
    """The preset, which runs are named after."""
    samples: PositiveInt = 8
    """Episodes per task."""
    advantage: Annotated[Advantage, Chosen(Advantage, ADVANTAGES)] = Grpo()
    """The estimator of advantages."""
    loss: Annotated[PolicyLoss, Chosen(PolicyLoss, LOSSES)] = Clip()
    """The policy loss."""
    aggregation: Aggregation = "token"
    """How the losses of tokens are averaged: over all of a mini batch, over those of each sequence, ..."""
    aggregation_tokens: PositiveInt = 1024
    """With `dr_grpo`, the tokens by which the sum over a sequence is divided."""
    entropy: float = Field(default=0.0, ge=0.0)
    """Weight of the entropy (nats) that is added to what is maximised."""

    overlong: Overlong = Overlong()
    """What an episode near its limit of tokens loses."""

    @model_validator(mode="after")
    def _comparable(self) -> "AlgorithmSettings":
        """Refuse groups that are too small for the estimator."""
        self.advantage.check(self.samples)
        return self

    @property
    def dense(self) -> bool:
        """Whether tokens without an advantage have a gradient as well."""
        return self.entropy > 0
