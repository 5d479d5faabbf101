"""A fake SGLang server: it answers in the shape that a real 0.5.23 was seen to, and with faults that one shows rarely.

Only for what a real server cannot be made to do; `tests/sglang_cpu` has the real ones.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

HALF, HANG, DROP = "half an answer", "no answer", "a closed connection"

# As recorded; `text`, timings and what nobody reads are left out.
RECORDED: dict[str, Any] = {
    "output_ids": [391, 463, 346],
    "meta_info": {
        "id": "",
        "finish_reason": {"type": "length", "length": 3},
        "prompt_tokens": 40,
        "weight_version": "default",
        "num_retractions": 0,
        "input_token_logprobs": [],
        "output_token_logprobs": [[-2.87, 391, None], [-1.9, 463, None], [-2.11, 346, None]],
        "output_token_logprobs_length": 3,
        "completion_tokens": 3,
        "cached_tokens": 0,
        "weight_versions": [{"version": "default", "start": 0, "end": 3}],
    },
}
INFO: dict[str, Any] = {
    "version": "0.5.23",
    "startup_time": 1.0,
    "max_req_input_len": 1018,
    "max_running_requests": 16,
    "tp_size": 1,
    "dp_size": 1,
    "device": "cpu",
    "enable_deterministic_inference": False,
    "enable_memory_saver": False,
    "enable_weights_cpu_backup": False,
    "internal_states": [{"effective_max_running_requests_per_dp": 16}],
}

Fault = str | tuple[int, Any] | None


class FakeSglang:
    """One server. Tests change its attributes while it runs.

    Attributes:
        calls: Paths and bodies that it was sent, in order.
        label: Name of its weights.
        info: What it says of itself.
        defaults: The sampling parameters it says that it adds.
        mutate: Changes a generation before it is sent.
        faults: By path: what to do instead of answering.
        seconds: How long a generation takes, unless it is aborted.
    """

    def __init__(self, label: str = "default") -> None:
        self.calls: list[tuple[str, Any]] = []
        self.label = label
        self.info = copy.deepcopy(INFO)
        self.defaults: Any = None
        self.mutate: Callable[[dict[str, Any]], Any] = lambda answer: answer
        self.faults: dict[str, Fault] = {}
        self.seconds = 0.0
        self.port = 0
        self._aborted: dict[str, asyncio.Event] = {}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.calls]

    async def __aenter__(self) -> "FakeSglang":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Die: all connections break."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                path = lines[0].split()[1].split("?")[0]
                lengths = [line for line in lines if line.lower().startswith("content-length:")]
                content = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
                body = json.loads(content) if content else None
                self.calls.append((path, body))
                fault = self.faults.get(path)
                if fault == HANG:
                    await asyncio.sleep(600)
                status, value = fault if isinstance(fault, tuple) else await self._answer(path, body)
                await self._reply(writer, fault, status, value)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, fault: Fault, status: int, value: Any) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode()
        if fault in (HALF, DROP):
            writer.write(head + content[: len(content) // 2] if fault == HALF else b"")
            await writer.drain()
            writer.close()
            raise ConnectionError
        writer.write(head + content)
        await writer.drain()

    async def _answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path == "/generate":
            return 200, self.mutate(await self._generate(body))
        if path == "/abort_request":
            self._aborted.setdefault(body["rid"], asyncio.Event()).set()
        elif path == "/model_info":
            return 200, {
                "model_path": "somewhere",
                "weight_version": self.label,
                "preferred_sampling_params": self.defaults,
            }
        elif path == "/server_info":
            return 200, self.info
        elif path == "/update_weight_version":
            self.label = body["new_version"]
        return 200, {"success": True, "message": "Success"}

    async def _generate(self, body: Any) -> dict[str, Any]:
        answer = copy.deepcopy(RECORDED)
        meta, new = answer["meta_info"], body["sampling_params"]["max_new_tokens"]
        meta["id"] = body["rid"]
        aborted = self._aborted.setdefault(body["rid"], asyncio.Event())
        try:
            await asyncio.wait_for(aborted.wait(), self.seconds)
            new, meta["finish_reason"] = 1, {"type": "abort", "message": "Aborted", "status_code": None}
        except TimeoutError:
            meta["finish_reason"]["length"] = new
        answer["output_ids"] = [token % 512 for token in range(391, 391 + new)]
        meta["output_token_logprobs"] = [[-1.5, token, None] for token in answer["output_ids"]]
        meta["weight_versions"] = [{"version": self.label, "start": 0, "end": new}]
        return answer
