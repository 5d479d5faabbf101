"""The optimizer and its learning-rate schedule, for reinforcement learning and supervised training alike."""

import math
from typing import Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat
from torch.nn import Parameter

from agent_rl.core.settings import Settings
from agent_rl.models.weights import whole


class OptimizerSettings(Settings):
    """AdamW and its schedule."""

    lr: PositiveFloat = 3e-4
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the rate goes from its peak, after the warm-up, to 0 at the last step."""
    warmup: NonNegativeInt = 0
    """Steps over which the rate rises linearly from 0."""
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Decay of the first moment."""
    beta2: float = Field(default=0.98, ge=0.0, lt=1.0)
    """Decay of the second moment."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are scaled down to this norm."""


def make_optimizer(parameters: list[Parameter], settings: OptimizerSettings) -> torch.optim.AdamW:
    """Return AdamW over `parameters`."""
    return torch.optim.AdamW(
        parameters, lr=settings.lr, betas=(settings.beta1, settings.beta2), weight_decay=settings.weight_decay
    )


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Return the rate of optimizer step `step` (from 0) of `steps`."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = min(1.0, (step - settings.warmup) / max(1, steps - settings.warmup))
    if settings.schedule == "linear":
        return settings.lr * (1 - done)
    if settings.schedule == "cosine":
        return settings.lr * 0.5 * (1 + math.cos(math.pi * done))
    return settings.lr


def apply(optimizer: torch.optim.Optimizer, rate: float, max_norm: float, loss: float = 0.0) -> float | None:
    """Take one step with the gradients there are; return their norm before clipping.

    A norm, or a `loss`, that is not finite means no step: the gradients are dropped and None is returned.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = whole(torch.nn.utils.clip_grad_norm_(parameters, max_norm))
    finite = bool(torch.isfinite(norm)) and math.isfinite(loss)
    if finite:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(norm) if finite else None
