"""Export: chosen trajectories as one self-contained page, which opens from disk, without a server or a network."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.files import open_atomic
from agent_rl.evaluation.viewer.bundle import one_page
from agent_rl.evaluation.viewer.choice import Choice, Row
from agent_rl.evaluation.viewer.library import RUNS, Library, detail_path, file_path, run_path, to_json
from agent_rl.evaluation.viewer.runs import RunFile, ViewedRun

_BETWEEN = 16  # bytes around an answer and a row: quotes, colons, commas


@dataclass(frozen=True)
class Exported:
    """What an exported page holds.

    Attributes:
        size: Bytes.
        kept: Trajectories in it.
        total: Trajectories in the files that they were chosen from.
        files_left_out: Files of trajectories that nothing was taken from.
    """

    size: int
    kept: int
    total: int
    files_left_out: int

    def __str__(self) -> str:
        """Say it in a line."""
        others = f"; {self.files_left_out} other files are left out" if self.files_left_out else ""
        return f"{self.size / 1e6:.1f} MB, {self.kept:,} of {self.total:,} trajectories{others}"


@dataclass
class _Taken:
    """A file, its rows, those that the choice wants, and those that had room."""

    run: ViewedRun
    file: RunFile
    total: int
    wanted: list[Row]
    kept: list[Row]


def export(library: Library, target: Path, words: str = "") -> Exported:
    """Write chosen trajectories of a library's runs, with all the rest that the page shows of these runs.

    Without words it is the evaluations and the last training step: of each file the first 50, successes and failures
    in turn, as long as the page stays below 20 MB. See `Choice` for what words can say.

    Args:
        library: The runs.
        target: The page to write.
        words: What to choose, such as `file=evaluations/after success=false limit=20`.

    Raises:
        UserError: Nothing fits the words, or they cannot be read.
        StorageError: The page cannot be written.
    """
    choice = Choice.parse(words)
    taken = list(_take(library, choice))
    if not any(one.wanted for one in taken):
        raise UserError(f"no trajectory fits {words!r}" if words else "there are no trajectories to export")
    runs = {one.run.id: one.run for one in taken}
    overviews = {id: dict(library.answer(run_path(run))) for id, run in runs.items()}
    listed = {"runs": [run.summary() for run in runs.values()]}
    fixed = [listed, *overviews.values(), *([file_path(one.run, one.file.name), "rows", "of"] for one in taken)]
    room = int(choice.megabytes * 1e6) - len(one_page(b"")) - sum(_size(answer) + 4 * _BETWEEN for answer in fixed)
    details = _fill(library, taken, room)
    answers = {RUNS: to_json(listed)} | details
    for one in taken:
        answers[file_path(one.run, one.file.name)] = to_json({"rows": sorted(one.kept, key=lambda row: row["number"])})
    for id, run in runs.items():
        answers[run_path(run)] = to_json(_told(overviews[id], [one for one in taken if one.run.id == id]))
    page = one_page(b"{" + b",".join(json.dumps(path).encode() + b":" + body for path, body in answers.items()) + b"}")
    with open_atomic(target) as file:
        file.write(page)
    left_out = sum(len(run.files) for run in runs.values()) - sum(bool(one.kept) for one in taken)
    return Exported(len(page), sum(len(one.kept) for one in taken), sum(one.total for one in taken), left_out)


def _take(library: Library, choice: Choice) -> Iterator[_Taken]:
    """Yield the files that the choice wants, with the rows of each that it wants."""
    found = [(run, file, library.rows(run, file)) for run in library.runs() for file in choice.files(run)]
    choice.check(chain.from_iterable(rows for _, _, rows in found))
    for run, file, rows in found:
        yield _Taken(run, file, len(rows), choice.rows(rows), [])


def _fill(library: Library, taken: list[_Taken], room: int) -> dict[str, bytes]:
    """Return the trajectories that have room, a file's after another's in turn, so that each has its share."""
    details: dict[str, bytes] = {}
    turns = zip_longest(*([(one, row) for row in one.wanted] for one in taken))
    for one, row in (pair for turn in turns for pair in turn if pair is not None):
        path = detail_path(one.run, one.file.name, row["number"])
        body = to_json(library.detail(one.run, one.file, row["number"]))
        room -= len(path) + _length(body) + _size(row) + _BETWEEN
        if room < 0:
            break
        details[path] = body
        one.kept.append(row)
    return details


def _told(overview: dict[str, Any], taken: list[_Taken]) -> dict[str, Any]:
    """Return what is told of a run, with the files and the numbers of trajectories that the page holds."""
    kept = {one.file.name: one for one in taken if one.kept}
    files = [
        file | {"count": len(kept[file["name"]].kept), "of": kept[file["name"]].total}
        for file in overview["files"]
        if file["name"] in kept
    ]
    state = "stopped" if overview["state"] == "running" else overview["state"]  # nobody follows it from here
    return overview | {"files": files, "state": state, "left_out": len(overview["files"]) - len(files)}


def _size(answer: Any) -> int:
    return _length(to_json(answer))


def _length(body: bytes) -> int:
    """Return the bytes of an answer in the page, where `<` is written with six."""
    return len(body) + 5 * body.count(b"<")
