"""The server's routes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from agent_rl.clients.fusion_messages import (
    NotebookAnswer,
    NotebookRequest,
    RunAnswer,
    RunRequest,
    SubmitAnswer,
    SubmitRequest,
)
from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError, told
from agent_rl.tools.sandbox.server.gate import BusyError
from agent_rl.tools.sandbox.server.service import SandboxService

T = TypeVar("T")
logger = logging.getLogger(__name__)
_DATA_SETS = ("/get_prompts", "/get_prompt_by_id", "/list_ids", "/get_metrics", "/get_metrics_function")
_DESCRIPTION = """Programs that nobody trusts, run in a sandbox; Sandbox Fusion's contract.

What a request asks for and this server does not do is refused: unknown fields and languages with 422, limits over the
server's own and other wishes with 400. With 429 and 503 a `Retry-After` says when to ask again."""


def application(service: SandboxService) -> FastAPI:
    """Return the ASGI application: the contract's routes, `GET /metrics`, and FastAPI's `/docs`."""

    async def run_code(body: RunRequest, request: Request) -> RunAnswer:
        """Run a program once."""
        return await _while_connected(request, service.run_code(body))

    async def run_jupyter(body: NotebookRequest, request: Request) -> NotebookAnswer:
        """Run cells of Python one after the other in one interpreter.

        It is no Jupyter kernel: no magics, no display, and the value of a cell's last expression is in its standard
        output.
        """
        return await _while_connected(request, service.run_jupyter(body))

    async def submit(body: SubmitRequest, request: Request) -> SubmitAnswer:
        """Judge the code in a model's text by tests that come with the request.

        When the sandbox fails there is no verdict, but a status of 500.
        """
        return await _while_connected(request, service.submit(body))

    async def metrics() -> str:
        """Give the figures in Prometheus' text format."""
        return service.gate.text()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPI(title="agent-rl sandbox", description=_DESCRIPTION, lifespan=lifespan)
    for path, post in (("/run_code", run_code), ("/run_jupyter", run_jupyter), ("/submit", submit)):
        app.add_api_route(path, post, methods=["POST"])
    for path in _DATA_SETS:
        app.add_api_route(path, _no_data_sets, methods=["POST"], include_in_schema=False)
    app.add_api_route("/list_datasets", _list_datasets)
    app.add_api_route("/v1/ping", _ping)
    app.add_api_route("/metrics", metrics, response_class=PlainTextResponse)
    for kind, handler in ((BusyError, _busy), (UserError, _wrong), (InfrastructureError, _broken)):
        app.add_exception_handler(kind, handler)
    return app


async def _ping() -> str:
    """Say that requests are answered."""
    return "pong"


async def _list_datasets() -> list[str]:
    """Give the names of the data sets: there are none, as problems come with their requests."""
    return []


async def _no_data_sets() -> None:
    raise HTTPException(404, "this server has no data sets: problems come with their requests, see /submit")


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` gives, and cancel it when the client goes away: nobody waits for the answer any more."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException(499, "the client went away")
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    return JSONResponse({"detail": str(error)}, error.status, {"Retry-After": str(error.rest)})


async def _wrong(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 400)


async def _broken(_: Request, error: Exception) -> Response:
    logger.warning("%s", told(error))
    return JSONResponse({"detail": told(error)}, 500)
