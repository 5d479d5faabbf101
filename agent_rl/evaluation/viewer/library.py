"""The viewer's answers: what there is under each address. The server sends them, an exported page holds some."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zipfile import BadZipFile

import msgspec
import zstandard

from agent_rl.core.errors import UserError
from agent_rl.evaluation.viewer.detail import detail
from agent_rl.evaluation.viewer.overview import overview
from agent_rl.evaluation.viewer.rows import OUTLINES, row_of, rows
from agent_rl.evaluation.viewer.runs import RunFile, ViewedRun, find_runs
from agent_rl.evaluation.viewer.search import TEXTS, find
from agent_rl.evaluation.viewer.tokens import token_texts
from agent_rl.rollout.learned import read_learned
from agent_rl.rollout.outlines import Outline, stored_line
from agent_rl.rollout.store import parse_trajectory
from agent_rl.tracking.run_folder import RunFolder

RUNS = "/api/runs"
_MOMENT = 1.0  # seconds for which the folders of many runs are not looked through again


class NotThereError(UserError):
    """There is nothing under an address."""


class Library:
    """Answers for the runs in a folder, as they are when it is asked."""

    def __init__(self, root: Path) -> None:
        """Answer for the run in `root`, or all runs below it.

        Raises:
            UserError: There are none.
        """
        self.root = root
        self._runs, self._found = find_runs(root), time.monotonic()

    def runs(self) -> list[ViewedRun]:
        """Return the runs, the one that changed last first, as they were a moment ago.

        Raises:
            UserError: There are none any more.
        """
        if time.monotonic() > self._found + _MOMENT:
            self._runs, self._found = find_runs(self.root), time.monotonic()
        return self._runs

    def run(self, name: str) -> ViewedRun:
        """Return the run of that id.

        Raises:
            NotThereError: There is none.
        """
        for run in self.runs():
            if run.id == name:
                return run
        raise NotThereError(f"there is no run {name!r}")

    def answer(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return what there is under an address, as values of JSON.

        Args:
            path: The address, percent-encoded, such as `/api/runs/a/files/episodes/3`.
            query: What stands behind its question mark.

        Raises:
            NotThereError: There is nothing under it.
            UserError: What is there cannot be read.
        """
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] != ["api", "runs"]:
            raise NotThereError(f"there is nothing under {path}")
        try:
            return self._answer(parts[2:], query or {})
        except (ValueError, LookupError, TypeError, zstandard.ZstdError, OSError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error

    def _answer(self, parts: list[str], query: Mapping[str, str]) -> Any:
        if not parts:
            return {"runs": [run.summary() for run in self.runs()]}
        run = self.run(parts[0])
        if len(parts) == 1:
            return self.overview(run)
        if parts[1] != "files" or len(parts) == 2:
            raise NotThereError(f"there is nothing under {'/'.join(parts)}")
        *name, last = parts[2:]
        file = run.files.get("/".join(name))
        if file is not None and last == "search":
            return {"numbers": find(TEXTS.get(file.path), query.get("q", ""))}
        if file is not None and last.isdecimal():
            return self.detail(run, file, int(last))
        return {"rows": self.rows(run, self.file(run, "/".join(parts[2:])))}

    def file(self, run: ViewedRun, name: str) -> RunFile:
        """Return a run's file of that name.

        Raises:
            NotThereError: There is none.
        """
        try:
            return run.files[name]
        except KeyError:
            raise NotThereError(f"{run.name} has no file {name!r}") from None

    def rows(self, run: ViewedRun, file: RunFile) -> list[dict[str, Any]]:
        """Return the rows of a file."""
        return rows(OUTLINES.get(file.path), run.success_at)

    def detail(self, run: ViewedRun, file: RunFile, number: int) -> dict[str, Any]:
        """Return all of a trajectory.

        Raises:
            NotThereError: The file has no such trajectory.
        """
        outlines = OUTLINES.get(file.path)
        if number >= len(outlines):
            raise NotThereError(
                f"{file.name} of {run.name} has {len(outlines)} trajectories, none with number {number}"
            )
        outline = outlines[number]
        trajectory = parse_trajectory(stored_line(file.path, number).decode())
        learned = _learned(run, file, number)
        return {
            "row": row_of(outlines, number, run.success_at),
            "group": [other.number for other in outlines if other.task_id == outline.task_id],
        } | detail(trajectory, token_texts(run), learned)

    def overview(self, run: ViewedRun) -> dict[str, Any]:
        """Return all that is shown of a run but its trajectories."""
        known: dict[Path, list[Outline] | None] = {file.path: OUTLINES.peek(file.path) for file in run.files.values()}
        return overview(run, {path: len(outlines) for path, outlines in known.items() if outlines is not None})


def run_path(run: ViewedRun) -> str:
    """Return the address of a run."""
    return f"{RUNS}/{_encoded(run.id)}"


def file_path(run: ViewedRun, name: str) -> str:
    """Return the address of the rows of a run's file."""
    return f"{run_path(run)}/files/{'/'.join(map(_encoded, name.split('/')))}"


def detail_path(run: ViewedRun, name: str, number: int) -> str:
    """Return the address of a trajectory."""
    return f"{file_path(run, name)}/{number}"


def to_json(answer: Any) -> bytes:
    """Return an answer as JSON, with null in place of numbers that are none."""
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:  # a model may write half of a surrogate pair, which only `json` can write
        return json.dumps(_finite(msgspec.to_builtins(answer, str_keys=True))).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def _learned(run: ViewedRun, file: RunFile, number: int) -> dict[str, list[float | None]] | None:
    """Return what the trainer made of a trajectory's tokens; None where it made nothing or it cannot be read."""
    if file.kind == "evaluation" or file.step is None:
        return None
    try:
        return read_learned(RunFolder(run.path).learned_file(file.step), number, file.kind == "beside")
    except (ValueError, LookupError, OSError, BadZipFile):
        return None


def _encoded(part: str) -> str:
    """Return a part of an address as JavaScript's `encodeURIComponent` does."""
    return quote(part, safe="!~*'()")
