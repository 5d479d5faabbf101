"""Evaluations in their folders, one or several: begun, gone on with, and all of them in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent_rl.core.errors import UserError
from agent_rl.core.files import read_json, write_json_atomic, write_text_atomic
from agent_rl.evaluation.command import evaluate_model
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.evaluation.results import Results, read_results
from agent_rl.evaluation.settings import EvalConfig
from agent_rl.evaluation.tables import csv_text, headline, overview
from agent_rl.tracking.console import Console
from agent_rl.tracking.facts import describe
from agent_rl.tracking.run_folder import RunFolder, write_config

MAY_CHANGE = {
    "out",
    *(f"engine.{key}" for key in ("urls", "url", "key_variable", "concurrency", "attempts")),
    *(f"engine.{key}" for key in ("price_input", "price_output")),
    *(f"rollout.{key}" for key in ("concurrency", "retries", "failure_budget", "stall_seconds")),
}
"""What an evaluation that is gone on with may set anew: nothing that an episode depends on."""


@dataclass
class Outcome:
    """What several evaluations found, by their labels, and what kept others from finding anything."""

    results: dict[str, Results] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content of the common `results.json`."""
        found = [{"evaluation": label} | results.to_json() for label, results in self.results.items()]
        return {"results": found, "failed": self.failed}


def begin(folder: Path, config: EvalConfig, command: Sequence[str]) -> None:
    """Make the folder of a new evaluation, with `config.yaml` and `run.json` in it.

    Raises:
        UserError: It cannot be written, or holds an evaluation or a run already.
    """
    _make(folder)
    write_config(RunFolder(folder), config)
    write_json_atomic(RunFolder(folder).run_json, describe(list(command)))


def begin_all(folder: Path, configs: Mapping[str, EvalConfig], command: Sequence[str]) -> None:
    """Make the folder of several evaluations, with one for each below it.

    Raises:
        UserError: It cannot be written, or holds results already.
    """
    _make(folder)
    for label, config in configs.items():
        begin(folder / label, config, command)
    write_json_atomic(folder / "evaluations.json", {"evaluations": list(configs)})


def labels(folder: Path) -> list[str]:
    """Return the evaluations of which `begin_all` made folders below this one; none where it holds a single one."""
    found: list[str] = read_json(folder / "evaluations.json").get("evaluations", [])
    return found


def recorded(folder: Path) -> dict[str, Any]:
    """Return the configuration of an evaluation that was begun.

    Raises:
        UserError: There is none.
    """
    path = RunFolder(folder).config_yaml
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no evaluation: there is no {path.name} in it") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"the configuration of {folder} cannot be read: {error}") from error
    if not isinstance(values, dict) or RunFolder(folder).metrics_jsonl.exists():
        raise UserError(f"{folder} holds no evaluation")
    return values


def evaluate_into(folder: Path, config: EvalConfig, console: Console) -> Results:
    """Measure what `config` names into a folder that was begun, or go on; return what is there if it is complete.

    Raises:
        UserError: Another process works in it, or what is measured cannot be.
    """
    place = EvaluationFolder(folder)
    with RunFolder(folder).alone():
        if place.complete:
            console.line(f"{folder} is complete: nothing is left to play")
            return read_results(folder)
        return evaluate_model(config, place, console)


def evaluate_all(folder: Path, configs: Mapping[str, EvalConfig], console: Console) -> Outcome:
    """Measure one after the other, each below `folder`; what fails one does not keep the others from going on."""
    outcome = Outcome()
    for label, config in configs.items():
        try:
            found = outcome.results[label] = evaluate_into(folder / label, config, console)
            console.line(f"{label}: success {found.mean('success'):.3f}; {headline(found)}")
        except UserError as error:
            outcome.failed[label] = " ".join(str(error).split())
            console.line(f"{label}: failed: {outcome.failed[label]}")
    write_text_atomic(folder / "results.csv", csv_text(outcome.results))
    write_text_atomic(folder / "results.md", overview(outcome.results, outcome.failed).markdown())
    write_json_atomic(folder / "results.json", outcome.to_json())
    return outcome


def _make(folder: Path) -> None:
    """Make a folder for results, unless there are some in it."""
    try:
        if EvaluationFolder(folder).begun or RunFolder(folder).begun or labels(folder):
            raise UserError(f"{folder} holds results already: go on with resume={folder}, or choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be written: {error.strerror}") from error
