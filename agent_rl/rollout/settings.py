"""Settings of rollouts."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from agent_rl.core.limits import Limits
from agent_rl.core.settings import Settings
from agent_rl.rollout.curriculum import CurriculumSettings


class PlaySettings(Settings):
    """How episodes are played."""

    limits: Limits = Limits()
    """What one episode may use."""
    concurrency: PositiveInt = 1024
    """Most episodes that play at once; more wait, unmade, until one of these ends."""
    retries: NonNegativeInt = 2
    """Fresh attempts at an episode that infrastructure or environment failed."""
    failure_budget: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the episodes of one step that may fail for good; above it the run stops and names the culprit."""
    stall_seconds: PositiveFloat = 15.0
    """When no episode has ended for this long, the log names what is being waited for."""


class RolloutSettings(PlaySettings):
    """How a training run's episodes are rolled out."""

    step_seconds: PositiveFloat = 3600.0
    """Deadline of one step's rollout; what has not ended by then has failed."""
    mode: Literal["sync", "oversample", "async"] = "sync"
    """`sync` plays a step's groups and waits for all; `oversample` begins more groups than a step needs and goes on as
    soon as enough have ended; `async` also generates while the trainer computes."""
    oversample: float = Field(default=1.5, ge=1.0)
    """Groups that `oversample` has begun, as a multiple of a step's."""
    leftover: Literal["carry", "abort"] = "carry"
    """What `oversample` does with groups that have not ended: `carry` goes on with them in the next step, under the new
    weights; `abort` begins them anew, which favours short episodes."""
    staleness: NonNegativeInt = 2
    """By how many versions the weights that sampled a token may be older than those that learn from it, in the modes
    `oversample` and `async`. A step waits for the groups that would become too old."""
    dynamic_sampling: bool = False
    """Replace groups whose rewards are all equal, which teach nothing, by groups of further tasks."""
    refill: NonNegativeFloat = 2.0
    """Most groups that `dynamic_sampling` replaces in one step, as a multiple of a step's; what comes then stays."""
    curriculum: CurriculumSettings = CurriculumSettings()
    """The order in which tasks are met."""

    @model_validator(mode="after")
    def _sensible(self) -> "RolloutSettings":
        """Refuse what the mode does not read, and more groups begun than may wait for their turn."""
        for name, mode in _READ_BY.items():
            if self.mode not in mode and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect with mode={self.mode}")
        if self.refill != 2.0 and not self.dynamic_sampling:
            raise ValueError("refill has no effect without dynamic_sampling=true")
        if self.mode == "oversample" and self.oversample > 1 + self.staleness:
            raise ValueError(f"oversample={self.oversample:g} needs a staleness of {self.oversample - 1:g} or more")
        return self


_READ_BY = {"oversample": ("oversample",), "leftover": ("oversample",), "staleness": ("oversample", "async")}
"""The modes that read a setting, where not all do."""
