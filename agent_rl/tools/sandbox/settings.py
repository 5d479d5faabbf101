"""Which sandbox programs run in."""

from typing import Annotated

from pydantic import Field

from agent_rl.tools.sandbox.docker.settings import DockerSettings
from agent_rl.tools.sandbox.e2b.settings import E2bSettings
from agent_rl.tools.sandbox.fusion.settings import FusionSettings
from agent_rl.tools.sandbox.local.settings import LocalSettings

SandboxSettings = Annotated[LocalSettings | FusionSettings | DockerSettings | E2bSettings, Field(discriminator="name")]
"""The settings of one of the sandboxes, chosen by `name`."""
