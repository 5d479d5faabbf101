"""How long the phases of a step take, from the work in them and the speed of this machine.

The work is the most there can be (every episode at its limits, nothing shared, every token computed), the speed that of
plain matrix products: attention over long contexts, the calls of small models, tools and whatever waits are not in it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import torch

from agent_rl.models.loading import device_of
from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
from agent_rl.trainer.cluster.settings import RaySettings
from agent_rl.trainer.memory import Sizes, sizes
from agent_rl.trainer.reward_settings import GenerativeSettings
from agent_rl.trainer.settings import TrainConfig

_ROUNDS = 3


@dataclass(frozen=True)
class Speed:
    """What a device can do: multiplications and additions, and bytes read or written, each a second."""

    operations: float
    bytes: float


def measure_speed(config: TrainConfig) -> Speed:
    """Return the speed of the device that the policy computes on, the best of some rounds; takes under a second."""
    device, dtype = device_of(config.model), getattr(torch, config.model.dtype)
    size = 4096 if device.type == "cuda" else 512
    one = torch.ones(size, size, dtype=dtype, device=device)
    large = torch.ones(2**23, dtype=dtype, device=device)
    product = min(_seconds(lambda: one @ one, device) for _ in range(_ROUNDS))
    copy = min(_seconds(large.clone, device) for _ in range(_ROUNDS))
    return Speed(2.0 * size**3 / product, 2.0 * large.numel() * large.element_size() / copy)


def seconds(config: TrainConfig, policy: Sizes, speed: Speed) -> dict[str, float]:
    """Return the seconds of each phase of a step, at most; nothing of a rollout in servers, which are not known."""
    episodes = config.trainer.tasks * config.algorithm.samples
    limits = config.rollout.limits
    tokens = episodes * limits.episode_tokens
    found: dict[str, float] = {}
    if isinstance(config.engine, EmbeddedSettings):
        waves = ceil(episodes / config.engine.rows)
        size = torch.empty(0, dtype=getattr(torch, config.model.dtype)).element_size()
        steps = waves * min(limits.turns * limits.turn_tokens, limits.episode_tokens)
        read = steps * policy.parameters * size / speed.bytes  # every step reads all weights
        found["rollout"] = max(2.0 * policy.parameters * tokens / speed.operations, read)
    ranks = config.cluster.ranks if isinstance(config.cluster, RaySettings) else 1
    found["update"] = _factor(config) * policy.parameters * tokens / (speed.operations * ranks)
    if (judge := config.reward_model) is not None:
        answers = episodes * judge.answer_tokens if isinstance(judge, GenerativeSettings) else 0
        parameters = sizes(config.model.model_copy(update={"path": judge.path})).parameters
        found["reward model"] = 2.0 * parameters * (tokens + answers) / (speed.operations * ranks)
    return found


def _factor(config: TrainConfig) -> float:
    """Return the operations for each parameter and token: 2 forward, 4 backward, and what others compute."""
    update = 6 + 2 * config.worker.recompute - 2 * (config.lora is not None)  # frozen weights have no gradient
    noted = 2 * sum(name in config.algorithm.needs for name in ("old", "reference"))
    value = (8 + 2 * config.worker.recompute) if config.value is not None else 0
    return float(update + noted + value)


def assumptions(config: TrainConfig, speed: Speed) -> list[str]:
    """Return what the seconds assume, a sentence each."""
    limits = config.rollout.limits
    return [
        f"every episode has {limits.episode_tokens} tokens, its limit, and shares none with others",
        f"matrix products run at {speed.operations / 1e9:.0f} GFLOP/s, as just measured here in {config.model.dtype}",
        f"each step of generation reads all weights once, at {speed.bytes / 1e9:.0f} GB/s, as just measured here",
        "attention, tools, environments, checkpoints and the travel of weights take no time",
    ]


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun
