"""The section `cluster`, apart from Ray and torch."""

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from agent_rl.core.settings import Settings

Apart = Literal["learners", "reference", "reward_model"]


def _listed(given: object) -> object:
    """Let a single name stand for a list of one."""
    return [given] if isinstance(given, str) else given


class InlineSettings(Settings):
    """Workers in this process."""

    name: Literal["inline"] = "inline"
    """`inline`: in this process, where breakpoints work; `ray`: in processes of their own."""


class RaySettings(Settings):
    """Workers in actors of Ray, on one machine or many."""

    name: Literal["ray"] = "ray"
    """`inline`: in this process, where breakpoints work; `ray`: in processes of their own."""
    ranks: PositiveInt = 1
    """Processes that share the work of each worker."""
    address: str | None = Field(default=None, min_length=1)
    """A Ray cluster that runs already: HOST:PORT of its head, or `auto` for the one of this machine. Without it, one is
    started on this machine for the run."""
    cpus_per_rank: PositiveInt | None = None
    """Cores that each rank reserves and computes with; by default those that torch uses in this process, shared out."""
    gpus_per_rank: NonNegativeFloat | None = None
    """GPUs that each rank reserves, or a part of one; by default one, if this machine has any and `model.device` is not
    `cpu`."""
    strategy: Literal["pack", "spread", "strict_pack", "strict_spread"] = "pack"
    """Ranks are placed on as few machines as possible or on as many; `strict_…`: on one machine, or on one each."""
    apart: Annotated[tuple[Apart, ...], BeforeValidator(_listed)] = ()
    """Workers with as many ranks of their own, which reserve as much again: `learners`, which learn beside the policy,
    such as the value model, the `reference` and the `reward_model`. All others live together."""
    restarts: NonNegativeInt = 3
    """How often the run goes on from its newest checkpoint when a rank has died."""
    start_seconds: PositiveFloat = 600.0
    """Longest wait for room in the cluster, and for the ranks to have loaded their models."""

    @field_validator("gpus_per_rank")
    @classmethod
    def _whole_or_part(cls, given: float | None) -> float | None:
        """Refuse what Ray cannot reserve."""
        if given is not None and given > 1 and given != int(given):
            raise ValueError("more than one GPU can only be reserved in whole ones")
        return given

    @field_validator("apart")
    @classmethod
    def _once(cls, given: tuple[Apart, ...]) -> tuple[Apart, ...]:
        if len(set(given)) != len(given):
            raise ValueError("a name is given twice")
        return given
