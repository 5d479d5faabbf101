"""Which sandbox programs run in."""

from typing import Annotated

from pydantic import Field

from agent_rl.tools.sandbox.docker.settings import DockerSettings
from agent_rl.tools.sandbox.fusion.settings import FusionSettings
from agent_rl.tools.sandbox.local.settings import LocalSettings

SandboxSettings = Annotated[LocalSettings | FusionSettings | DockerSettings, Field(discriminator="name")]
"""The settings of one of the sandboxes, chosen by `name`."""
