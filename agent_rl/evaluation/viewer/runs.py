"""Runs and evaluations as folders: which there are, what files of trajectories they have, and how far they are."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import yaml

from agent_rl.core.errors import UserError
from agent_rl.evaluation.viewer.cache import Stamp, stamp
from agent_rl.evaluation.viewer.jsonfiles import last_line, read_object
from agent_rl.tracking.run_folder import held

Kind = Literal["train", "eval"]
FileKind = Literal["training", "evaluation", "beside"]
State = Literal["running", "finished", "stopped"]

_ENDING = ".jsonl.zst"
_DEPTH = 5  # folders below the one that is viewed in which runs are looked for
_OWN = ("checkpoints", "trajectories", "beside", "learned", "evaluations", "profiles", "exports")  # of a run
_EPISODES = ("episodes", "partial")  # whole, and as far as they have come


@dataclass(frozen=True)
class RunFile:
    """A file of trajectories.

    Attributes:
        name: What it is called in addresses, such as `trajectories/step_000001`.
        title: What a reader calls it.
        kind: What its episodes were played for.
        step: The training step after or in which they were; None where there is none.
        path: Where it lies.
    """

    name: str
    title: str
    kind: FileKind
    step: int | None
    path: Path


@dataclass(frozen=True)
class ViewedRun:
    """A run or an evaluation.

    Attributes:
        id: What it is called in addresses: it has no slash.
        name: What a reader calls it: its place below the folder that is viewed.
        path: Its folder.
    """

    id: str
    name: str
    path: Path

    @property
    def kind(self) -> Kind:
        """An evaluation has episodes of its own, and a configuration that trains nothing."""
        config = self.config
        trains = not config or "trainer" in config or "sft" in config
        return "train" if trains and not _holds_episodes(self.path) else "eval"

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration; empty where there is none or it cannot be read."""
        path = self.path / "config.yaml"
        return _read_config(path, stamp(path))

    @property
    def config_text(self) -> str:
        """The resolved configuration as it is written."""
        path = self.path / "config.yaml"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    @property
    def success_at(self) -> float:
        """The reward from which an episode counts as a success."""
        given = (self.config.get("eval") or self.config).get("success_at")
        if given is None:
            given = read_object(self.path / "results.json").get("success_at", 1.0)
        return float(given)

    @property
    def state(self) -> State:
        """Whether a process works on it, and if not, whether it has come to its end."""
        if held(self.path):
            return "running"
        ended = self.path / ("results.json" if self.kind == "eval" else "summary.json")
        return "finished" if ended.exists() else "stopped"

    @property
    def files(self) -> dict[str, RunFile]:
        """The files of trajectories by their names, in the order in which they came to be."""
        own = _episodes(self.path)
        found = [RunFile("episodes", "Episodes", "evaluation", None, own)] if own else []
        found += _evaluations(self.path / "evaluations")
        found += _steps(self.path / "trajectories", "training", "Step {}")
        found += _steps(self.path / "beside", "beside", "Beside step {}")
        return {file.name: file for file in found}

    @property
    def version(self) -> str:
        """A word that changes when something in the folder does."""
        folders = [f"evaluations/{name}" for name in _names(self.path / "evaluations")]
        stamps = [stamp(self.path / name) for name in (*_WATCHED, *folders)]
        stamps += [stamp(file.path) for file in self.files.values() if file.kind == "evaluation"]
        return f"{crc32(repr((stamps, self.state)).encode()):08x}"

    @property
    def changed(self) -> float:
        """When something in the folder changed last, in Unix seconds."""
        times = [found[0] / 1e9 for name in _WATCHED if (found := stamp(self.path / name))]
        return max(times, default=0.0)

    def summary(self) -> dict[str, Any]:
        """Return the run's line in a list of runs."""
        config, kind = self.config, self.kind
        last = last_line(self.path / "metrics.jsonl")
        return {
            "id": self.id,
            "name": self.name,
            "kind": kind,
            "env": _word(config, "env", "name"),
            "model": _word(config, "model", "path") or _word(config, "engine", "model"),
            "algorithm": "sft" if "sft" in config else _word(config, "algorithm", "name"),
            "step": int(last.get("step") or 0),
            "steps": int((config.get("trainer") or config.get("sft") or {}).get("steps") or 0),
            "state": self.state,
            "success": self._success(last),
            "changed": self.changed,
        }

    def _success(self, last: dict[str, Any]) -> float | None:
        """Return what was measured at the end, else in the last step, else before the first."""
        if self.kind == "eval":
            return success_of(read_object(self.path / "results.json"))
        evaluations = self.path / "evaluations"
        after, before = (success_of(read_object(evaluations / when / "results.json")) for when in ("after", "before"))
        return next((value for value in (after, last.get("success/mean"), before) if value is not None), None)


_WATCHED = (
    "run.json",
    "config.yaml",
    "metrics.jsonl",
    "summary.json",
    "results.json",
    "episodes.jsonl.zst",
    "partial.jsonl.zst",
    "trajectories",
    "beside",
    "learned",
    "evaluations",
)
"""What changes when a run goes on; a folder does when a file comes into it."""


def success_of(results: dict[str, Any]) -> float | None:
    """Return the success that `results.json` tells."""
    return ((results.get("metrics") or {}).get("success") or {}).get("mean")


def find_runs(root: Path) -> list[ViewedRun]:
    """Return the run in a folder, or all runs below it, the one that changed last first.

    Raises:
        UserError: There is no such folder, or neither a run nor an evaluation in it.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}")
    if is_run(root):
        name = root.resolve().name or "run"
        return [ViewedRun(name, name, root)]
    runs: dict[str, ViewedRun] = {}
    for path in _below(root, _DEPTH):
        name = path.relative_to(root).as_posix()
        chosen = name.replace("/", "~")
        while chosen in runs:
            chosen += "~"
        runs[chosen] = ViewedRun(chosen, name, path)
    if not runs:
        raise UserError(f"{root} holds neither a run nor an evaluation")
    return sorted(runs.values(), key=lambda run: (-run.changed, run.name))


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run or an evaluation."""
    return (folder / "run.json").is_file() or _holds_episodes(folder)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the runs below a folder, those in another run too (it may have been rescored), but for what is its own."""
    try:
        inner = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return
    own = _OWN if is_run(folder) else ()
    for path in (folder / name for name in inner if name not in own):
        if is_run(path):
            yield path
        if depth > 1:
            yield from _below(path, depth - 1)


def _holds_episodes(folder: Path) -> bool:
    return _episodes(folder) is not None


def _episodes(folder: Path) -> Path | None:
    """Return the file of an evaluation's episodes, as far as there are any."""
    files = (folder / f"{name}{_ENDING}" for name in _EPISODES)
    return next((file for file in files if file.is_file()), None)


def _evaluations(folder: Path) -> list[RunFile]:
    """Return the evaluations of a training: before it, after some steps, after it."""
    found = []
    for name in _names(folder):
        path = _episodes(folder / name)
        if path is not None:
            found.append(RunFile(f"evaluations/{name}", _title(name), "evaluation", _step(name), path))
    return sorted(found, key=_place)


def _place(file: RunFile) -> tuple[int, int, str]:
    """Return where an evaluation stands among those of its run."""
    moment = 0 if "/before" in file.name else 2 if "/after" in file.name else 1
    return moment, file.step or 0, file.name


def _title(name: str) -> str:
    mode = "sampled" if name.endswith("_sampled") else "greedy"
    step = _step(name)
    moment = name.removesuffix("_sampled")
    when = f"After step {step}" if step is not None else f"{moment.capitalize()} training"
    return f"{when}, {mode}" if step is not None or moment in ("before", "after") else name


def _steps(folder: Path, kind: FileKind, title: str) -> list[RunFile]:
    found = []
    for name in _names(folder):
        step = _step(name.removesuffix(_ENDING))
        if name.endswith(_ENDING) and step is not None:
            called = f"{folder.name}/{name.removesuffix(_ENDING)}"
            found.append(RunFile(called, title.format(step), kind, step, folder / name))
    return found


def _step(name: str) -> int | None:
    """Return the step in a name such as `step_000010`."""
    number = name.removesuffix("_sampled").removeprefix("step_")
    return int(number) if name.startswith("step_") and number.isdecimal() else None


def _names(folder: Path) -> list[str]:
    """Return what is in a folder, without what is hidden or being written."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


@lru_cache(maxsize=1024)
def _read_config(path: Path, _: Stamp) -> dict[str, Any]:
    try:
        found = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _word(config: dict[str, Any], section: str, key: str) -> str:
    found = config.get(section)
    return str(found.get(key) or "") if isinstance(found, dict) else ""
