"""Which workers live together in the ranks of `cluster=ray`, and what each rank reserves."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.settings import TrainConfig


@dataclass(frozen=True)
class Shape:
    """What the ranks of a pool reserve.

    Attributes:
        ranks: How many there are.
        cpus: Cores of each, which are the threads that it computes with.
        gpus: GPUs of each, or the part of one.
        strategy: Ray's strategy of placement.
        seconds: Longest wait for room, and for the start.
    """

    ranks: int
    cpus: int
    gpus: float
    strategy: str
    seconds: float

    @property
    def bundle(self) -> dict[str, float]:
        """What each rank reserves, in Ray's words."""
        return {"CPU": float(self.cpus)} | ({"GPU": self.gpus} if self.gpus else {})

    @property
    def backend(self) -> str:
        """What collectives are made with; notes go by CPU tensors, and NCCL cannot serve two ranks on one GPU."""
        return "cpu:gloo,cuda:nccl" if self.gpus >= 1 else "gloo"

    def __str__(self) -> str:
        words = [f"{amount:g} {kind}" for kind, amount in self.bundle.items()]
        return " and ".join(words)


def shape_of(config: TrainConfig, settings: RaySettings) -> Shape:
    """Return what the ranks of each pool reserve; what was not said is what this process would compute with."""
    gpus, cpus = settings.gpus_per_rank, settings.cpus_per_rank
    if gpus is None:
        gpus = float(config.model.device != "cpu" and torch.cuda.is_available())
    if cpus is None:
        cpus = max(1, torch.get_num_threads() // settings.ranks)
    return Shape(settings.ranks, cpus, gpus, settings.strategy, settings.start_seconds)


def pools_of(config: TrainConfig, settings: RaySettings) -> Mapping[str, tuple[str, ...]]:
    """Return the pools by name, each with the kinds of workers that live in it; that of the policy comes first."""
    beside = (
        ("learners", config.has_learners),
        ("reference", "reference" in config.algorithm.needs),
        ("reward_model", config.reward_model is not None),
    )
    there = [kind for kind, needed in beside if needed]
    together = ("policy", *(kind for kind in there if kind not in settings.apart))
    return {"policy": together} | {kind: (kind,) for kind in there if kind in settings.apart}
