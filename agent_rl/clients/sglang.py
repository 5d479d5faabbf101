"""The native API of one SGLang server (0.5.23 or newer).

What is not obvious about that API, and therefore held to here:

- aborting goes by prefix on the server, so that request ids must have one length (`new_id`);
- a token id beyond the vocabulary kills the server: callers check before they ask;
- an abort of a request that the server does not run yet is lost, and so is every later one of the same request;
- `ignore_eos` switches `stop_token_ids` off as well;
- the context's last tokens cannot be used: the server samples fewer than asked for, and says nothing;
- an update of weights flushes the cache by default, and fails when requests are in flight: here it never flushes;
- naming a version of the weights aborts all requests by default: here it never does.
"""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from agent_rl.clients.http import JsonClient, RefusedError
from agent_rl.clients.sglang_answers import SOURCE, Answer, Facts
from agent_rl.core.outcome import InfrastructureError

MEMORY = ("cuda_graph", "kv_cache", "weights")
_SPARE_CONNECTIONS = 16  # for control calls, which must not queue behind generations
_CONTROL_SECONDS = 60.0
_REQUESTS_OWN_FAULT = frozenset({400, 413, 422})
_NO_FLUSH = {"flush_cache": False}


def new_id() -> str:
    """Return a request id of 32 characters, so that none is a prefix of another."""
    return uuid.uuid4().hex


class SglangClient:
    """Calls one server.

    Every method raises `InfrastructureError` (`UnreachableError` where another server may succeed) with the url in its
    text when the call failed for a reason that is not the request's own.
    """

    def __init__(self, url: str, connections: int, generate_seconds: float, update_seconds: float) -> None:
        """Call the server at `url`.

        Args:
            url: Where it listens.
            connections: Generations at once; further ones wait for a connection.
            generate_seconds: Longest generation.
            update_seconds: Longest single call that moves weights or memory.
        """
        self.url = url.rstrip("/")
        self._http = JsonClient(SOURCE, url, connections + _SPARE_CONNECTIONS)
        self._generate_seconds, self._update_seconds = generate_seconds, update_seconds

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def generate(self, rid: str, tokens: Sequence[int], sampling: dict[str, Any], cache_key: str) -> Answer:
        """Sample a continuation of `tokens` with log-probabilities.

        Args:
            rid: From `new_id`.
            tokens: Each within the vocabulary.
            sampling: The server's `sampling_params`.
            cache_key: Only requests with the same key share cached prefixes.

        Raises:
            ValueError: The server refuses the request for what it asks.
        """
        body = {
            "rid": rid,
            "input_ids": list(tokens),
            "sampling_params": sampling,
            "return_logprob": True,
            "logprob_start_len": -1,
            "stream": False,
            "extra_key": cache_key,
        }
        try:
            content = await self._http.call("POST", "/generate", body, seconds=self._generate_seconds)
        except RefusedError as error:
            if error.status in _REQUESTS_OWN_FAULT:
                raise ValueError(error.message) from error
            raise
        try:
            return Answer.model_validate_json(content, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InfrastructureError(SOURCE, f"{self.url}/generate: {place or 'answer'}: {first['msg']}") from error

    async def abort(self, rid: str) -> None:
        """End a request that runs; without effect, also on later aborts of it, when it does not run yet."""
        await self._post("/abort_request", {"rid": rid})

    async def pause(self, mode: Literal["abort", "retract", "in_place"]) -> None:
        """Stop sampling; requests that come in wait until `resume`. `abort` ends the running ones."""
        await self._post("/pause_generation", {"mode": mode}, self._update_seconds)

    async def resume(self) -> None:
        """Go on sampling; harmless when nothing is paused."""
        await self._post("/continue_generation", {})

    async def flush(self) -> None:
        """Forget all cached prefixes; waits until nothing runs."""
        await self._post(f"/flush_cache?timeout={_CONTROL_SECONDS / 2:g}", {})

    async def ready(self) -> bool:
        """Return whether it would run a request now: it has started and is not paused."""
        try:
            await self._http.call("GET", "/ready", seconds=_CONTROL_SECONDS / 6)
        except InfrastructureError:
            return False
        return True

    async def alive(self, seconds: float) -> None:
        """Return when its scheduler has answered, paused or not, within `seconds`; raise otherwise."""
        await self._http.call("GET", "/server_info", seconds=seconds)

    async def facts(self) -> Facts:
        """Return what it says of itself.

        Raises:
            RefusedError: With status 404 when there is a router, not a server, behind the url.
        """
        model = await self._http.call_json("GET", "/model_info", seconds=_CONTROL_SECONDS)
        info = await self._http.call_json("GET", "/server_info", seconds=_CONTROL_SECONDS)
        try:
            return Facts.of(model, info)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InfrastructureError(
                SOURCE, f"{self.url} does not describe itself as SGLang 0.5.23 does: {type(error).__name__} {error}"
            ) from error

    # --- weights and memory; none of it waits for the requests in flight, which must be paused ------------------------

    async def update_from_disk(self, folder: Path) -> None:
        """Load a checkpoint in Hugging Face format; the server must see the same folder."""
        await self._update("/update_weights_from_disk", {"model_path": str(folder.absolute()), **_NO_FLUSH})

    async def begin_update(self) -> None:
        """Begin an update by tensors or by a process group."""
        await self._update("/begin_weight_update", {})

    async def end_update(self) -> None:
        """End it."""
        await self._update("/end_weight_update", {})

    async def update_from_tensors(self, payloads: Sequence[str]) -> None:
        """Load one flattened bucket, serialized once for each tensor-parallel rank."""
        body = {"serialized_named_tensors": list(payloads), "load_format": "flattened_bucket", **_NO_FLUSH}
        await self._update("/update_weights_from_tensor", body)

    async def join_group(self, name: str, address: str, port: int, world: int, backend: str) -> None:
        """Join a process group as ranks 1, 2, ...; returns when all have joined."""
        body = {
            "master_address": address,
            "master_port": port,
            "rank_offset": 1,
            "world_size": world,
            "group_name": name,
            "backend": backend,
        }
        await self._update("/init_weights_update_group", body)

    async def update_from_group(
        self, group: str, names: Sequence[str], dtypes: Sequence[str], shapes: Sequence[Sequence[int]]
    ) -> None:
        """Receive tensors that rank 0 of the group broadcasts in this order."""
        body = {
            "group_name": group,
            "names": list(names),
            "dtypes": list(dtypes),
            "shapes": [list(shape) for shape in shapes],
            **_NO_FLUSH,
        }
        await self._update("/update_weights_from_distributed", body)

    async def leave_group(self, name: str) -> None:
        """Leave a process group."""
        await self._update("/destroy_weights_update_group", {"group_name": name}, _CONTROL_SECONDS)

    async def name_weights(self, version: str) -> None:
        """Call the weights it serves `version` from the next token on."""
        await self._update("/update_weight_version", {"new_version": version, "abort_all_requests": False})

    async def release_memory(self) -> None:
        """Release the memory of weights and cache. Nothing may be running: the server would die."""
        await self._post("/release_memory_occupation", {"tags": list(MEMORY)}, self._update_seconds)

    async def resume_memory(self, tags: Sequence[str]) -> None:
        """Take memory back. Only what is released: the server would die."""
        await self._post("/resume_memory_occupation", {"tags": list(tags)}, self._update_seconds)

    async def _post(self, path: str, body: dict[str, Any], seconds: float = _CONTROL_SECONDS) -> None:
        await self._http.call("POST", path, body, seconds=seconds)

    async def _update(self, path: str, body: dict[str, Any], seconds: float | None = None) -> None:
        value = await self._http.call_json("POST", path, body, seconds=seconds or self._update_seconds)
        if not isinstance(value, dict) or value.get("success") is not True:
            raise InfrastructureError(SOURCE, f"{self.url}{path} answered {str(value)[:300]}")
