"""Settings of a sandbox behind Sandbox Fusion's contract."""

import os
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from agent_rl.core.settings import Settings


class FusionSettings(Settings):
    """A server that speaks Sandbox Fusion's contract, such as `agent-rl serve sandbox`."""

    name: Literal["fusion"] = "fusion"
    """At a server with Sandbox Fusion's contract, such as `agent-rl serve sandbox`, on this machine or another."""
    url: str = Field(
        default_factory=lambda: os.environ.get("SANDBOX_FUSION_ENDPOINT", "http://localhost:8080"),
        validate_default=True,
    )
    """Where it listens; by default what SANDBOX_FUSION_ENDPOINT says."""
    concurrency: PositiveInt = 64
    """Most programs at the server at once, of this process."""
    attempts: PositiveInt = 5
    """How often a program is sent while the server is busy (429, 502, 503, 504) or cannot be reached."""
    backoff_seconds: PositiveFloat = 0.5
    """Wait before the second attempt; it doubles with each."""
    spare_seconds: PositiveFloat = 60.0
    """What an answer may take beyond the program's own time limits: the server's queue and the network."""
    whole_kb: PositiveInt = 128
    """KiB of output that the server surely gives back whole. Sandbox Fusion cuts longer output without a word, so that
    longer output counts as OUTPUT_LIMIT, unless the server says that it is whole as `agent-rl serve sandbox` does."""

    @field_validator("url")
    @classmethod
    def _with_protocol(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("an address begins with http:// or https://")
        return url
