"""Engines of models of ours, by their settings."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import AutoConfig, PreTrainedModel

from agent_rl.models.loading import load_model, resolve
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.engines.base import Engine
from agent_rl.rollout.engines.embedded import EmbeddedEngine, EmbeddedSettings
from agent_rl.rollout.engines.sglang import SglangEngine, SglangSettings

Mode = Literal["sync", "oversample", "async"]


@dataclass(frozen=True)
class Placement:
    """What an engine is told of the run that it works for.

    Attributes:
        model: What it generates with.
        folder: For the logs and weights of servers.
        mode: The rollout's mode.
        policy: The model in this process that is trained; None where nothing is.
    """

    model: ModelSettings
    folder: Path
    mode: Mode = "sync"
    policy: PreTrainedModel | None = None


def make_engine(settings: EmbeddedSettings | SglangSettings, placement: Placement) -> Engine:
    """Return the engine that `settings` describe; it is started later.

    With mode `async` the embedded engine generates with a copy of the policy, which the trainer changes meanwhile.

    Raises:
        UserError: The model cannot be loaded.
    """
    if isinstance(settings, SglangSettings):
        return _sglang(settings, placement)
    model = placement.policy or load_model(placement.model)[0]
    overlapping = placement.mode == "async"
    return EmbeddedEngine(
        copy.deepcopy(model) if overlapping else model,
        settings,
        shared=not overlapping,
        sync=placement.mode == "sync",
    )


def _sglang(settings: SglangSettings, placement: Placement) -> Engine:
    place = resolve(placement.model.path)
    vocabulary = AutoConfig.from_pretrained(place).get_text_config().vocab_size
    if not settings.urls:
        arguments = (f"--dtype={placement.model.dtype}", *settings.arguments)
        settings = settings.model_copy(update={"arguments": arguments})
    return SglangEngine(settings, place, vocabulary, placement.folder)
