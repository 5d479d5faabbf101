"""Settings of a sandbox of containers."""

import os
from typing import Literal

from pydantic import Field, PositiveInt

from agent_rl.core.settings import Settings


class DockerSettings(Settings):
    """Programs run in containers of a Docker engine, each in a fresh one. Needs `agent-rl[docker]`."""

    name: Literal["docker"] = "docker"
    """In a container of a Docker engine each. Needs `agent-rl[docker]`."""
    image: str = "python:3.13"
    """An image that the engine has already; it needs `sh`, `tar`, `sleep`, `kill` and what the languages need."""
    languages: tuple[str, ...] = ("python", "bash", "c", "cpp")
    """What the image can run."""
    url: str = ""
    """The engine's address, such as `unix:///run/user/1000/docker.sock`; by default DOCKER_HOST's."""
    runtime: str = ""
    """The engine's runtime, such as `runsc` for gVisor; by default the engine's own."""
    user: str = "65534:65534"
    """User and group in the container."""
    concurrency: PositiveInt = Field(default_factory=lambda: len(os.sched_getaffinity(0)))
    """Containers at one time, by default one a core; others wait, which does not count against their seconds."""
