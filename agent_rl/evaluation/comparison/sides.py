"""A side of a comparison: an evaluation, what it did with each task, and under what settings."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
import zstandard

from agent_rl.core.errors import UserError
from agent_rl.core.files import read_json
from agent_rl.core.message import text_of
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.evaluation.figures import zero
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.results import Results, Subject, read_results, task_figures
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.run_folder import RunFolder

_LAST = ("after_sampled", "after")
_SETTINGS = ("env.", "rollout.limits.", "renderer.", "tools.", "top_p", "top_k")
_CUT = 400  # characters of a text that is kept


@dataclass(frozen=True)
class Played:
    """What a side did with a task.

    Attributes:
        figures: The means over its usable episodes.
        attributes: The task's attributes.
        asked: The first text of a user.
        best: The last words of the episode with the highest reward.
        worst: The last words of the one with the lowest.
    """

    figures: dict[str, float]
    attributes: dict[str, Any]
    asked: str
    best: str
    worst: str

    def value(self, metric: str) -> float:
        """Return a figure; nan where it is not known."""
        return self.figures.get(metric, 0.0 if zero(metric) else math.nan)


@dataclass(frozen=True)
class Side:
    """An evaluation to compare.

    Attributes:
        label: What it is called.
        folder: Where it lies.
        results: Its results.
        settings: What its episodes depend on beside the model, `{"rollout.limits.turns": 8, …}`.
        tasks: The tasks that have usable episodes.
    """

    label: str
    folder: Path
    results: Results
    settings: dict[str, Any]
    tasks: dict[str, Played]

    def to_json(self) -> dict[str, Any]:
        """Return what it is, without its tasks."""
        results = self.results.to_json()
        return {"label": self.label, "folder": str(self.folder)} | {k: v for k, v in results.items() if k != "by"}


def read_sides(paths: Sequence[Path]) -> list[Side]:
    """Read evaluations; each is called by the end of its path, or by all of it where two end alike.

    Raises:
        UserError: There is none, or it cannot be read.
    """
    names = [path.resolve().name for path in paths]
    alike = len(set(names)) < len(names)
    return [_read(path, str(path) if alike else name) for path, name in zip(paths, names, strict=True)]


def find(path: Path) -> EvaluationFolder:
    """Return the evaluation in a folder, or the last one of the training run in it, sampled rather than greedy.

    Raises:
        UserError: There is none, or there are several.
    """
    if not path.is_dir():
        raise UserError(f"{path} is no folder")
    found = [EvaluationFolder(path), *(EvaluationFolder(RunFolder(path).evaluations / name) for name in _LAST)]
    several = read_json(path / "evaluations.json").get("evaluations", [])
    if several:
        raise UserError(
            f"{path} holds several evaluations; name one: {', '.join(str(path / name) for name in several)}"
        )
    for folder in found:
        if folder.complete:
            return folder
    if found[0].begun:
        raise UserError(f"the evaluation in {path} is not complete; go on with: agent-rl eval resume={path}")
    there = sorted(file.parent.name for file in RunFolder(path).evaluations.glob("*/results.json"))
    known = f" of the end of training; name one of {', '.join(there)} below {path / 'evaluations'}" if there else ""
    raise UserError(f"{path} holds no results of an evaluation{known}")


def _read(path: Path, label: str) -> Side:
    folder = find(path)
    results = read_results(folder.path)
    try:
        tasks = dict(_played(read_trajectories(folder.episodes), results.subject))
    except FileNotFoundError as error:
        raise UserError(f"the evaluation in {folder.path} has lost its episodes ({folder.episodes.name})") from error
    except (ValueError, KeyError, TypeError, zstandard.ZstdError) as error:
        raise UserError(f"the episodes of {folder.path} cannot be read: {error}") from error
    return Side(label, folder.path, results, _settings(folder.path), tasks)


def _played(trajectories: Iterable[Trajectory], subject: Subject) -> Iterator[tuple[str, Played]]:
    """Yield each task that has usable episodes; the file has the trajectories in the order of tasks."""
    for task, found in itertools.groupby(trajectories, key=lambda trajectory: trajectory.task_id):
        group = Group(task, list(found))
        if not group.usable:
            continue
        ranked = sorted(group.usable, key=lambda episode: sum(part.reward for part in episode))
        first = ranked[0][0]
        asked = next((text_of(message) for message in first.messages if message["role"] == "user"), "")
        figures = task_figures(group, subject, None)
        yield task, Played(figures, first.attributes, asked[:_CUT], _said(ranked[-1]), _said(ranked[0]))


def _said(episode: Sequence[Trajectory]) -> str:
    """Return the last words of an episode; where they called tools, the calls."""
    last = next((message for message in reversed(episode[-1].messages) if message["role"] == "assistant"), None)
    if last is None:
        return ""
    calls = [f"{call['function']['name']} {call['function']['arguments']}" for call in last.get("tool_calls", [])]
    return "\n".join(filter(None, [text_of(last), *calls]))[:_CUT]


def _settings(folder: Path) -> dict[str, Any]:
    """Return what the episodes depend on, from the configuration of the evaluation or of the run that it belongs to."""
    places = (RunFolder(folder).config_yaml, RunFolder(folder.parent.parent).config_yaml)
    place = next((place for place in places if place.exists()), None)
    if place is None:
        return {}
    try:
        config = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"the configuration {place} cannot be read: {error}") from error
    flat = {"top_p": 1.0, "top_k": 0} | dict(_flat(config if isinstance(config, dict) else {}))
    return {key: value for key, value in flat.items() if key.startswith(_SETTINGS)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
