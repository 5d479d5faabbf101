"""`/run_jupyter`: cells, one after the other in one interpreter."""

import base64
import json
import platform
import time
from collections.abc import Iterable, Mapping
from typing import Any

from agent_rl.clients.fusion_messages import CellResult, CommandResult, NotebookAnswer, NotebookRequest
from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Result, Sandbox, Session, Status
from agent_rl.tools.sandbox.paths import check as check_paths
from agent_rl.tools.sandbox.server.running import ServedLimits, contents, outcome

_FILE_SECONDS = 30.0
_PUT = """def _put(files):
    import base64, os
    for path, content in files.items():
        if os.path.dirname(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(content))
_put({files!r})
del _put
"""
_GET = """def _get(paths):
    import base64, json, os
    found = {{}}
    for path in paths:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[path] = base64.b64encode(file.read()).decode()
    print(json.dumps(found))
_get({paths!r})
"""


async def run_cells(
    sandbox: Sandbox, request: NotebookRequest, limits: ServedLimits
) -> tuple[NotebookAnswer, list[Result]]:
    """Return what became of the cells, as an answer and as results.

    Raises:
        UserError: The request asks for more than is allowed, or for a path outside, or there are no sessions here.
        InfrastructureError: The sandbox failed.
    """
    files = contents(request.files)
    check_paths(files, request.fetch_files)
    allowed = limits.of(seconds=max(request.total_timeout, request.cell_timeout), memory_mb=request.memory_limit_MB)
    session = await sandbox.session(allowed)
    begun = time.monotonic()
    try:
        await _put(session, files)
        results = await _run(session, request)
        ended = results[-1] if results and results[-1].exit_code is None else None
        fetched = await _get(session, request.fetch_files) if ended is None else {}
    finally:
        await session.close()
    return _answer(results, ended, fetched, time.monotonic() - begun), results


async def _run(session: Session, request: NotebookRequest) -> list[Result]:
    """Run the cells, up to one that ends the interpreter and so has no exit code; one that raises does not."""
    results: list[Result] = []
    deadline = time.monotonic() + request.total_timeout
    for cell in request.cells:
        left = deadline - time.monotonic()
        if left <= 0:
            results.append(Result(Status.TIME_LIMIT))
        else:
            results.append((await session.run(cell, min(left, request.cell_timeout or left))).checked())
        if results[-1].exit_code is None:
            break
    return results


async def _put(session: Session, files: Mapping[str, bytes]) -> None:
    if files:
        encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
        result = (await session.run(_PUT.format(files=encoded), _FILE_SECONDS)).checked()
        if result.status is not Status.FINISHED:
            raise UserError(f"the files cannot be written: {result.status} {result.stderr[-300:]}")


async def _get(session: Session, paths: Iterable[str]) -> dict[str, str]:
    """Return those of the files that are there, in base64; they come through standard output, with its limit."""
    if not paths:
        return {}
    result = (await session.run(_GET.format(paths=list(paths)), _FILE_SECONDS)).checked()
    try:
        if result.status is not Status.FINISHED:
            raise ValueError(f"{result.status} {result.stderr[-300:]}")
        found: Any = json.loads(result.stdout)
        return {path: found[path] for path in paths if isinstance(found.get(path), str)}
    except (ValueError, AttributeError) as error:
        raise UserError(f"the files cannot be fetched: {error}") from error


def _answer(results: list[Result], ended: Result | None, files: dict[str, str], seconds: float) -> NotebookAnswer:
    driver = CommandResult(status="Finished", execution_time=seconds, return_code=0, stdout="", stderr="")
    if ended is not None:
        late = ended.status is Status.TIME_LIMIT
        driver.status, driver.return_code = ("TimeLimitExceeded", None) if late else ("Finished", -9)
    return NotebookAnswer(
        status="Success" if ended is None else "Failed",
        message="" if ended is None else f"cell {len(results)} ended the interpreter: {ended.status}",
        driver=driver,
        cells=[_cell(result) for result in results],
        executor_pod_name=platform.node(),
        files=files,
    )


def _cell(result: Result) -> CellResult:
    error: list[dict[str, object]] = []
    if result.exit_code:
        lines = result.stderr.strip().splitlines() or ["Error"]
        name, _, value = lines[-1].partition(":")
        error.append({"ename": name, "evalue": value.strip(), "traceback": lines})
    return CellResult(stdout=result.stdout, stderr=result.stderr, error=error, outcome=outcome(result))
