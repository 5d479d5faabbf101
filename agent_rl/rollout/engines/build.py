"""Engines of models of ours, by their settings."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import PreTrainedModel

from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.models.loading import load_config, load_model, resolve
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
        policy: The model in this process that is trained; None where none is.
    """

    model: ModelSettings
    folder: Path
    mode: Mode = "sync"
    policy: PreTrainedModel | None = None


def make_engine(settings: EmbeddedSettings | SglangSettings, placement: Placement) -> Engine:
    """Return the engine that `settings` describe; it is started later.

    The embedded engine generates with the policy itself where that is in this process, but with mode `async` with a
    copy, for the trainer changes it meanwhile.

    Raises:
        UserError: The model cannot be loaded.
    """
    if isinstance(settings, SglangSettings):
        return _sglang(settings, placement)
    model = placement.policy or load_model(placement.model)[0]
    shared = placement.policy is not None and placement.mode != "async"
    if placement.policy is not None and not shared:
        model = copy.deepcopy(model)
    return EmbeddedEngine(model, settings, shared=shared, sync=placement.mode == "sync")


def check_limits(settings: EmbeddedSettings | SglangSettings, model: ModelSettings, limits: Limits) -> None:
    """Refuse a model that cannot sample a turn as long as the limits allow, whatever its prompt; servers know theirs.

    Raises:
        UserError: So it is, or the model cannot be read.
    """
    if not isinstance(settings, EmbeddedSettings):
        return
    context: int = load_config(model).max_position_embeddings
    turn = min(limits.turn_tokens, limits.episode_tokens)
    if turn >= context:
        raise UserError(
            f"model={model.path} has a context of {context} tokens, too short for turns of up to {turn}: name a model "
            "with a longer one by model=, or lower rollout.limits.turn_tokens and rollout.limits.episode_tokens"
        )


def _sglang(settings: SglangSettings, placement: Placement) -> Engine:
    place = resolve(placement.model.path)
    vocabulary = load_config(placement.model).vocab_size
    if not settings.urls:
        arguments = (f"--dtype={placement.model.dtype}", *settings.arguments)
        settings = settings.model_copy(update={"arguments": arguments})
    return SglangEngine(settings, place, vocabulary, placement.folder)
