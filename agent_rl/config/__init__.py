"""Configuration: presets composed with Hydra's grammar, validated by the rooms' own settings."""

from agent_rl.config.compose import compose, environment_words, presets
from agent_rl.config.sweeps import combinations
from agent_rl.config.validate import validate

__all__ = ["combinations", "compose", "environment_words", "presets", "validate"]
