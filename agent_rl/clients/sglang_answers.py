"""What an SGLang server answers: generations, and what it says of itself."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

SOURCE = "sglang"
"""What failures of SGLang are called."""


class Span(BaseModel):
    """Output tokens `[start, end)` were sampled by weights called `version`."""

    version: str
    start: int
    end: int


class FinishReason(BaseModel):
    """Why a generation ended; `matched` is the stop token when `type` is `stop`."""

    type: Literal["stop", "length", "abort"]
    matched: int | str | list[int] | None = None
    message: str | None = None
    status_code: int | None = None
    err_type: str | None = None


class Meta(BaseModel):
    """What comes with the tokens; a log-probability's entry is `(nats, token, text)`."""

    id: str
    finish_reason: FinishReason
    output_token_logprobs: list[tuple[float, int, str | None]]
    weight_versions: list[Span]


class Answer(BaseModel):
    """The answer to `generate`; the stop token is in `output_ids`."""

    output_ids: list[int]
    meta_info: Meta


@dataclass(frozen=True)
class Facts:
    """What a server says of itself.

    Attributes:
        version: SGLang's version.
        started: Tells one start of it from another.
        model: Folder or hub's name that its weights were last loaded from.
        weight_version: The name of the weights it serves.
        longest: Most tokens of a prompt and its continuation; beyond, it cuts the continuation short in silence.
        slots: Requests it runs at once.
        tensor_parallel: GPUs of one replica.
        replicas: Data-parallel replicas behind the url.
        device: `cpu`, `cuda`, ...
        seeds: Whether a request's seed decides what is sampled.
        releases_memory: Whether its memory can be released, and the weights come back with it.
        defaults: Sampling parameters that it adds to requests.
    """

    version: str
    started: str
    model: str
    weight_version: str
    longest: int
    slots: int
    tensor_parallel: int
    replicas: int
    device: str
    seeds: bool
    releases_memory: bool
    defaults: Any

    @classmethod
    def of(cls, model: Any, info: Any) -> "Facts":
        """Read a server's `/model_info` and `/server_info`.

        Raises:
            LookupError: Or TypeError, ValueError, AttributeError: they are not those of SGLang.
        """
        inner = info["internal_states"][0]
        slots = inner.get("effective_max_running_requests_per_dp") or info["max_running_requests"]
        return cls(
            version=str(info["version"]),
            started=str(info["startup_time"]),
            model=str(model["model_path"]),
            weight_version=str(model["weight_version"]),
            longest=int(info["max_req_input_len"]),
            slots=int(slots) * int(info["dp_size"]),
            tensor_parallel=int(info["tp_size"]),
            replicas=int(info["dp_size"]),
            device=str(info["device"]),
            seeds=bool(info["enable_deterministic_inference"]),
            releases_memory=bool(info["enable_memory_saver"] and info["enable_weights_cpu_backup"]),
            defaults=model["preferred_sampling_params"],
        )
