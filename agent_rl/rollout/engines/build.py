"""Engines by name."""

import copy

from transformers import PreTrainedModel

from agent_rl.rollout.engines.base import Engine
from agent_rl.rollout.engines.embedded import EmbeddedEngine, EmbeddedSettings


def make_engine(settings: EmbeddedSettings, model: PreTrainedModel, mode: str) -> Engine:
    """Return the engine that `settings` describe.

    Args:
        settings: Which engine, and its settings.
        model: The policy in this process. With mode `async` the embedded engine generates with a copy of it, because
            the trainer changes it meanwhile.
        mode: The rollout's mode.
    """
    overlapping = mode == "async"
    return EmbeddedEngine(
        copy.deepcopy(model) if overlapping else model, settings, shared=not overlapping, sync=mode == "sync"
    )
