"""A fake of E2B's service: its two APIs as E2B's own client speaks them; its machines are folders of this one.

Nothing is isolated here: commands run as they come, as processes of the tests. The part of a machine that starts
processes is E2B's own generated server.
"""

import asyncio
import json
import os
import signal
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from e2b.envd.process import process_pb as pb
from e2b.envd.process.process_connect import Process, ProcessASGIApplication
from fastapi import FastAPI, Request, Response
from protobuf import Oneof


class FakeE2b:
    """What the service was asked.

    Attributes:
        ordered: The bodies of the orders of machines.
        running: Names of machines that were not ended.
        refuse: The HTTP status to answer orders with; 0 to take them.
    """

    def __init__(self) -> None:
        self.ordered: list[dict[str, Any]] = []
        self.running: set[str] = set()
        self.refuse = 0
        self.url = ""


class _Machine(Process):
    """Starts processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def start(self, request: pb.StartRequest, ctx: Any) -> AsyncIterator[pb.StartResponse]:
        config = request.process
        assert config is not None
        words = [word.replace("/tmp/agent_rl", str(self._root)) for word in config.args]
        process = await asyncio.create_subprocess_exec(
            config.cmd, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True
        )
        try:
            yield _event("start", pb.ProcessEvent.StartEvent(pid=process.pid))
            async with aclosing(_pieces(process)) as pieces:
                async for number, piece in pieces:
                    yield _event("data", pb.ProcessEvent.DataEvent(output=Oneof(("stdout", "stderr")[number], piece)))
            code = await process.wait()
            yield _event("end", pb.ProcessEvent.EndEvent(exit_code=max(code, -1), exited=code >= 0, status=""))
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()  # to the end of what it wrote: asyncio lets go of it only then


def _event(name: Any, value: Any) -> pb.StartResponse:
    return pb.StartResponse(event=pb.ProcessEvent(event=Oneof(name, value)))


async def _pieces(process: asyncio.subprocess.Process) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield what a process writes, with the number of the stream, as it comes."""
    queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(4)

    async def relay(number: int, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(1 << 14):
            await queue.put((number, piece))
        await queue.put((number, b""))

    assert process.stdout is not None and process.stderr is not None
    tasks = [asyncio.ensure_future(relay(*stream)) for stream in enumerate((process.stdout, process.stderr))]
    try:
        open_streams = 2
        while open_streams:
            number, piece = await queue.get()
            open_streams -= not piece
            if piece:
                yield number, piece
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def fake_e2b() -> Iterator[FakeE2b]:
    """Serve the fake while the block runs."""
    fake = FakeE2b()
    with tempfile.TemporaryDirectory() as folder:
        server = uvicorn.Server(uvicorn.Config(_application(fake, Path(folder)), port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield fake
        finally:
            _end_all_below(folder)  # first: the server waits for what it still answers
            server.should_exit = True
            thread.join(60)


def _end_all_below(folder: str) -> None:
    """Kill what still works below `folder`, as the end of a real machine ends all that runs there."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "cwd").startswith(folder):
                os.kill(int(process.name), signal.SIGKILL)


def _application(fake: FakeE2b, root: Path) -> FastAPI:
    app = FastAPI()

    def place(path: str) -> Path:
        return Path(path.replace("/tmp/agent_rl", str(root)))

    async def order(request: Request) -> Response:
        if fake.refuse:
            content = json.dumps({"code": fake.refuse, "message": "refused"})
            return Response(content, fake.refuse, media_type="application/json")
        fake.ordered.append(await request.json())
        name = f"machine{len(fake.ordered)}"
        fake.running.add(name)
        machine = {"sandboxID": name, "templateID": "base", "clientID": "x", "envdVersion": "0.4.1", "domain": None}
        return Response(json.dumps(machine), 201, media_type="application/json")

    async def end(name: str) -> Response:
        fake.running.discard(name)
        return Response(status_code=204)

    async def write(request: Request) -> list[dict[str, str]]:
        form = await request.form()
        written = []
        for upload in form.getlist("file"):
            path = place(upload.filename or request.query_params["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(await upload.read())
            written.append({"name": path.name, "path": str(path), "type": "file"})
        return written

    async def read(path: str) -> Response:
        try:
            return Response(place(path).read_bytes())
        except OSError:
            return Response('{"code": 404, "message": "no such file"}', 404, media_type="application/json")

    async def health() -> Response:
        return Response(status_code=204)

    app.add_api_route("/v2/sandboxes", order, methods=["POST"], response_model=None)
    app.add_api_route("/sandboxes/{name}", end, methods=["DELETE"], response_model=None)
    app.add_api_route("/files", write, methods=["POST"])
    app.add_api_route("/files", read, methods=["GET"], response_model=None)
    app.add_api_route("/health", health, methods=["GET"], response_model=None)
    app.mount("/", ProcessASGIApplication(_Machine(root)))
    return app
