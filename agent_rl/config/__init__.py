"""Configuration: presets composed with Hydra's grammar, validated by the rooms' own settings."""

from agent_rl.config.compose import compose, presets
from agent_rl.config.validate import validate

__all__ = ["compose", "presets", "validate"]
