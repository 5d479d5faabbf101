"""What an audit reads: the saved trajectories of a run, line by line, and how it was run."""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
import zstandard

from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.settings import Settings
from agent_rl.core.trajectory import Trajectory
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.audit.findings import Check, Finding, Place
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.renderer import RendererSettings
from agent_rl.rollout.store import parse_trajectory, read_lines
from agent_rl.tracking.run_folder import RunFolder

S = TypeVar("S", bound=Settings)
_FILE = re.compile(r"step_(\d+)\.jsonl\.zst")


@dataclass(frozen=True)
class Recorded:
    """What config.yaml says of how the trajectories came about.

    Attributes:
        model: The policy that the run began with.
        sampling: How tokens were drawn.
        limits: What an episode could use.
        tasks: Groups of a step.
        samples: Episodes of a group.
        renderer: How messages became tokens.
        refills: Whether a step may have more groups: those that taught nothing are replaced, and saved as well.
    """

    model: ModelSettings
    sampling: Sampling
    limits: Limits
    tasks: int
    samples: int
    refills: bool
    renderer: RendererSettings

    @classmethod
    def read(cls, folder: RunFolder) -> "Recorded":
        """Read the keys that an audit needs; what else stands there, from another version perhaps, is no matter.

        Raises:
            UserError: The configuration is missing, damaged, or not that of a training.
        """
        try:
            values = yaml.safe_load(folder.config_yaml.read_text(encoding="utf-8"))
            return cls(
                model=_section(ModelSettings, values["model"]),
                sampling=_section(Sampling, values["sampling"]),
                limits=_section(Limits, values["rollout"]["limits"]),
                tasks=int(values["trainer"]["tasks"]),
                samples=int(values["algorithm"]["samples"]),
                renderer=_section(RendererSettings, values.get("renderer", {})),
                refills=bool(values.get("rollout", {}).get("dynamic_sampling", False)),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            problem = f"there is no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{folder.config_yaml} is not the configuration of a training: {problem}") from error


@dataclass(frozen=True)
class Selection:
    """Which of a run's trajectories are audited.

    Attributes:
        steps: First and last training step, or None for all.
        limit: Most trajectories, from the first step on, or None for all.
    """

    steps: tuple[int, int] | None = None
    limit: int | None = None

    @classmethod
    def parse(cls, steps: str | None, limit: int | None) -> "Selection":
        """Read `3` or `3-5`, and a limit.

        Raises:
            UserError: They are not understood.
        """
        if limit is not None and limit < 1:
            raise UserError(f"--limit must be at least 1 (got {limit})")
        if steps is None:
            return cls(None, limit)
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", steps)
        if not found or int(found[1]) > int(found[2] or found[1]):
            raise UserError(f"--steps must be a step or a range of steps, such as 3 or 3-5 (got '{steps}')")
        return cls((int(found[1]), int(found[2] or found[1])), limit)

    def files(self, folder: RunFolder) -> list[tuple[int, Path]]:
        """Return the chosen files with their steps, in order.

        Raises:
            UserError: There is none.
        """
        names = ((_FILE.fullmatch(path.name), path) for path in folder.trajectories.glob("step_*"))
        every = sorted((int(found[1]), path) for found, path in names if found)
        if not every:
            raise UserError(f"{folder.path} holds no trajectories to audit")
        low, high = self.steps or (every[0][0], every[-1][0])
        chosen = [(step, path) for step, path in every if low <= step <= high]
        if not chosen:
            raise UserError(
                f"{folder.path} has trajectories of the steps {every[0][0]} to {every[-1][0]}, not of these"
            )
        return chosen


@dataclass(frozen=True)
class Saved:
    """A line of a file: its place, and the trajectory in it or what is wrong with it."""

    place: Place
    trajectory: Trajectory | None
    problem: Finding | None = None


def read_step(step: int, path: Path) -> Iterator[Saved]:
    """Yield what a file holds, line by line, without keeping any. A damaged file ends with its problem."""
    name = f"{path.parent.name}/{path.name}"
    lines = read_lines(path)
    for number in itertools.count(1):
        try:
            line = next(lines, None)
        except (OSError, ValueError, zstandard.ZstdError) as error:
            yield Saved(
                Place(step, name, number), None, Finding(Check.FILES, f"the file cannot be read from here on: {error}")
            )
            return
        if line is None:
            return
        yield _parse(line, step, name, number)


def _parse(line: str, step: int, name: str, number: int) -> Saved:
    try:
        trajectory = parse_trajectory(line)
    except (ValueError, KeyError, TypeError) as error:
        place = Place(step, name, number, *_named(line))
        return Saved(place, None, Finding(Check.FILES, f"no trajectory: {type(error).__name__}: {error}"))
    return Saved(Place(step, name, number, trajectory.task_id, *member(trajectory)), trajectory)


def member(trajectory: Trajectory) -> tuple[int, int]:
    """Return which sample of its task a trajectory is, and which part of that episode."""
    return trajectory.sample, trajectory.part


def _named(line: str) -> tuple[str | None, int | None]:
    """Return task and sample of a line that is no trajectory, as far as it says."""
    try:
        values = json.loads(line)
        return values.get("task_id"), values.get("sample")
    except (ValueError, AttributeError):
        return None, None


def _section(kind: type[S], values: dict[str, Any]) -> S:
    return kind(**{key: value for key, value in values.items() if key in kind.model_fields})
