"""A sandbox behind the server of ours, in this process, for as long as a test."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Sandbox, Session, Status
from agent_rl.tools.sandbox.server.application import application
from agent_rl.tools.sandbox.server.gate import Gate
from agent_rl.tools.sandbox.server.running import ServedLimits
from agent_rl.tools.sandbox.server.service import SandboxService


class FakeSandbox:
    """Runs nothing: answers `result`, as soon as `open` is set, and remembers what it was asked."""

    languages: tuple[str, ...] = ("python", "bash", "cpp", "node")

    url = ""
    """Where the server is that all tests share; see conftest.py."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reset()

    def reset(self) -> None:
        self.result = Result(Status.FINISHED, exit_code=0)
        self.asked: list[tuple[Program, str]] = []
        self.open.set()
        self.ended = self.cancelled = 0

    async def run(self, program: Program, stdin: str = "") -> Result:
        self.asked.append((program, stdin))
        try:
            while not self.open.is_set():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.ended += 1
        return self.result

    async def run_each(self, program: Program, inputs: Sequence[str]) -> list[Result]:
        return [await self.run(program, stdin) for stdin in inputs]

    async def session(self, limits: Limits | None = None) -> Session:
        raise UserError("a fake has no sessions")

    async def close(self) -> None:
        """Nothing is open."""


@contextmanager
def served(sandbox: Sandbox, concurrency: int = 4, queue: int = 16, **limits: Any) -> Iterator[str]:
    """Give the address of a server."""
    app = application(SandboxService(sandbox, ServedLimits(**limits), Gate(concurrency, queue)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
