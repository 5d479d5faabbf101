"""What was played and saved, read again: the groups of an evaluation or a training step, and how they were played."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
import zstandard

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.harness import stream_of
from agent_rl.evaluation.results import Subject, read_results
from agent_rl.evaluation.several import labels
from agent_rl.rollout.agents import Plan, group_plans
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.run_folder import RunFolder


@dataclass(frozen=True)
class Recorded:
    """Episodes that were saved.

    Attributes:
        config: The resolved configuration that they were played under.
        groups: The groups, in the order in which they were begun.
        subject: What played them, and how.
        step: The training step that they are of, from 1; 0 for an evaluation.
        file: The file that they lie in.
        run: The folder with the configuration and the facts about the run.
    """

    config: dict[str, Any]
    groups: list[Group]
    subject: Subject
    file: Path
    run: Path
    step: int = 0

    def plans(self, place: int, task: Task) -> list[Plan]:
        """Return the plans of the episodes of a group, named and seeded as they were when they were played."""
        subject, sampling = self.subject, Sampling(temperature=self.subject.temperature)
        name = str(place) if self.step else f"run/{place}"
        seed = derive(subject.seed, "rollout", self.step - 1) if self.step else stream_of(subject)
        return group_plans(name, task, subject.n, sampling, seed, place)


def read_recorded(path: Path, name: str | None = None, step: int | None = None) -> Recorded:
    """Read the episodes of an evaluation, or of a training run those that `name` or `step` choose.

    Args:
        path: The folder of an evaluation, or of a training run.
        name: Which of a training run's evaluations: before, after, before_sampled, after_sampled, step_000010.
        step: Whose trajectories of a training run.

    Raises:
        UserError: There are none there, or it is not said which.
    """
    run = RunFolder(path)
    if several := labels(path):
        raise UserError(f"{path} holds several evaluations; give the folder of one: {', '.join(several)}")
    if EvaluationFolder(path).complete:
        if name is not None or step is not None:
            raise UserError(f"{path} is one evaluation: name= and step= choose among those of a training run")
        inside = path.parent.name == "evaluations" and RunFolder(path.parent.parent).config_yaml.is_file()
        return _evaluation(path, RunFolder(path.parent.parent) if inside else run)
    if EvaluationFolder(path).begun:
        raise UserError(f"the evaluation {path} has not ended: agent-rl eval resume={path}")
    if not run.begun:
        raise UserError(f"{path} is neither the folder of an evaluation nor that of a training run")
    if step is not None and name is None:
        return _training(run, step)
    names = sorted(folder.name for folder in run.evaluations.glob("*") if EvaluationFolder(folder).complete)
    if name is None or step is not None:
        raise UserError(f"{path} is a training run: choose step=N, or an evaluation by name= ({', '.join(names)})")
    if name not in names:
        raise UserError(f"{path} has no evaluation '{name}'{nearest(name, names)} (there are: {', '.join(names)})")
    return _evaluation(run.evaluations / name, run)


def groups_of(trajectories: Iterable[Trajectory]) -> list[Group]:
    """Return trajectories in the groups that they were written by; a task may have several in a row."""
    groups: list[Group] = []
    last: tuple[str, int, int] | None = None
    for one in trajectories:
        if last is None or one.task_id != last[0] or (one.sample, one.part) <= last[1:]:
            groups.append(Group(one.task_id, []))
        groups[-1].trajectories.append(one)
        last = one.task_id, one.sample, one.part
    return groups


def _evaluation(path: Path, run: RunFolder) -> Recorded:
    file = EvaluationFolder(path).episodes
    return Recorded(_config(run), _groups(file), read_results(path).subject, file, run.path)


def _training(run: RunFolder, step: int) -> Recorded:
    file = run.trajectories_file(step)
    if not file.is_file():
        there = [int(one.name[5:11]) for one in sorted(run.trajectories.glob("step_*.jsonl.zst"))]
        known = f"there are {there[0]} to {there[-1]}" if there else "there are none"
        raise UserError(f"{run.path} has no trajectories of step {step}: {known}")
    config = _config(run)
    subject = Subject(
        env=config["env"]["name"],
        model=f"{run.path.resolve().name} training step {step}",
        split="train",
        n=config["algorithm"]["samples"],
        temperature=config["sampling"]["temperature"],
        seed=config["seed"],
        success_at=config["eval"]["success_at"],
    )
    return Recorded(config, _groups(file), subject, file, run.path, step)


def _groups(file: Path) -> list[Group]:
    try:
        return groups_of(read_trajectories(file))
    except (OSError, ValueError, zstandard.ZstdError) as error:
        raise UserError(f"the trajectories {file} cannot be read: {error}") from error


def _config(run: RunFolder) -> dict[str, Any]:
    try:
        values = yaml.safe_load(run.config_yaml.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"the configuration {run.config_yaml} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"the configuration {run.config_yaml} is none")
    return values
