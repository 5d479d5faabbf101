"""Settings of the SGLang engine."""

import shlex
import sys
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from agent_rl.core.settings import Settings


def _words(given: object) -> object:
    """Split one string as a shell does."""
    return tuple(shlex.split(given)) if isinstance(given, str) else given


class SglangSettings(Settings):
    """Settings of the SGLang engine."""

    name: Literal["sglang"] = "sglang"
    """The engine."""
    urls: tuple[str, ...] = ()
    """Servers that run already, for this run alone; without any, `servers` are started on this machine."""
    servers: int = Field(default=1, ge=1)
    """How many servers to start; read only without `urls`."""
    python: str = sys.executable
    """The Python that has SGLang installed, to start servers with."""
    arguments: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    """Further arguments of `sglang.launch_server`, as a list or in one string: `'--mem-fraction-static=0.6'`."""
    tensor_parallel: int = Field(default=1, ge=1)
    """GPUs of each server that is started."""
    first_gpu: int = Field(default=0, ge=0)
    """GPU of the first server that is started; the others take the ones after it."""
    weight_transport: Literal["disk", "tensor", "distributed"] = "disk"
    """How new weights travel: `disk` through a folder that trainer and servers see, `tensor` through shared memory
    (same machine, SGLang installed beside the trainer), `distributed` through a process group of their own."""
    colocated: bool = False
    """The servers live on the trainer's GPUs: a pause aborts what runs and releases their memory."""
    requests_per_server: int = Field(default=0, ge=0)
    """Requests in flight at a server, others wait here; 0: as many as it says that it runs at once."""
    attempts: int = Field(default=3, ge=1)
    """How often a request is tried when servers fail under it."""
    restarts: int = Field(default=5, ge=0)
    """How often each server of ours is started again."""
    startup_seconds: float = Field(default=900.0, gt=0)
    """Longest start of a server."""
    request_seconds: float = Field(default=3600.0, gt=0)
    """Longest single generation; a server that takes longer counts as failed."""
    update_seconds: float = Field(default=900.0, gt=0)
    """Longest single call that moves weights or memory."""
    recovery_seconds: float = Field(default=900.0, gt=0)
    """How long requests wait while no server is in service, before they fail."""
    probe_seconds: float = Field(default=10.0, gt=0)
    """Time between two looks at each server."""
    bucket_mib: int = Field(default=256, ge=1)
    """Weights sent at once by `tensor` and `distributed`, MiB."""

    @model_validator(mode="after")
    def _urls_or_servers(self) -> Self:
        own = ("servers", "python", "arguments", "tensor_parallel", "first_gpu", "restarts")
        unread = [name for name in own if getattr(self, name) != type(self).model_fields[name].default]
        if self.urls and unread:
            raise ValueError(f"{', '.join(unread)}: not read when urls are given")
        if self.weight_transport == "disk" and self.bucket_mib != type(self).model_fields["bucket_mib"].default:
            raise ValueError("bucket_mib: not read with weight_transport=disk")
        if len(set(self.urls)) != len(self.urls):
            raise ValueError("urls: a server is named twice")
        return self
